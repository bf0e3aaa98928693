/** Commands over several files or refs, and what their one document says when one of them fails. */
import { writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Interrupted } from '../../../lib/cli/failure.ts'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { sha256 } from '../../support/random-bytes.ts'
import { bucket } from './command-line.ts'

let front: ClientFront
let folder: string
beforeEach(async () => {
  front = await startFront()
  folder = await mkdtemp(join(tmpdir(), 'cli-'))
  await writeFile(at('one'), 'one')
  await writeFile(at('two'), 'two')
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)
const on = async (...args: string[]) => await bucket(args, { url: front.url })

describe('a command over several arguments', () => {
  it('prints one document with the stored files and the failure, and exits with its code', async () => {
    const { exit, stdout } = await on('put', 'b/a', at('one'), at('none'), at('two'), '--json')
    expect(exit).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      stored: [{ created: true, entry: { digest: sha256(Buffer.from('one')) } }],
      error: { what: 'No such file or folder', exit_code: 2 },
    })
    expect(front.entries()).toHaveLength(1)
  })

  it('prints one document with the fetched refs and the failure', async () => {
    front.put('b/a/v1', Buffer.from('one'))
    const { exit, stdout } = await on('get', 'b/a/v1', 'b/a/v2', 'b/a/v3', '-o', folder, '--json')
    expect(exit).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({
      fetched: [{ path: at('a-v1'), size: 3 }],
      error: { code: 'version_not_found', exit_code: 3 },
    })
  })

  it('prints what was done before Ctrl-C', async () => {
    const given = new AbortController()
    front.misbehave = ({ method }) => {
      if (method !== 'PUT' || front.entries().length === 0) return false
      given.abort(new Interrupted('SIGINT'))
      return true
    }
    const args = ['put', 'b/a', at('one'), at('two'), '--json']
    const { exit, stdout, stderr } = await bucket(args, { url: front.url, signal: given.signal })
    expect(exit).toBe(130)
    expect(stderr).not.toContain('error:')
    expect(JSON.parse(stdout)).toMatchObject({
      stored: [{ entry: { digest: sha256(Buffer.from('one')) } }],
      error: { what: 'The command was stopped', exit_code: 130 },
    })
  })

  it.each(['check', 'get'])(
    '%s names every invalid reference at once, before any request',
    async (command) => {
      const { exit, stderr } = await on(command, 'b/a/v', 'b/_a/v', 'b/a', 'b/a/v@sha256:1')
      expect(exit).toBe(2)
      expect(stderr).toMatch(/3 invalid references\n.*"_a" begins with "_"; "b\/a" has 2 parts.*; "sha256:1"/)
      expect(front.received).toEqual([])
    },
  )
})

describe('a lock file that cannot get the line', () => {
  const locked = (bytes: string, ref = 'b/a/v') =>
    `# bucket-lock 1\n${ref}@${sha256(Buffer.from(bytes))} ${bytes.length}\n`

  it.each([
    ['put', 2, 'garbage', 'bucket.lock'],
    ['push', 2, 'garbage', 'bucket.lock'],
    ['put', 2, '', 'absent/bucket.lock'],
    ['push', 2, '', 'absent/bucket.lock'],
    ['put', 4, locked('other'), 'bucket.lock'],
    ['push', 4, locked('other'), 'bucket.lock'],
  ])('ends %s with %i before a byte is sent', async (command, exit, text, name) => {
    if (text !== '') await writeFile(at(name), text)
    const source = command === 'put' ? at('one') : folder
    const ran = await on(command, 'b/a/v', source, '--lock', at(name))
    expect(ran).toMatchObject({ exit, stdout: '' })
    expect(front.received.filter(({ method }) => method !== 'GET')).toEqual([])
    expect(await readdir(folder)).not.toContain('bucket.lock.new')
  })

  it('accepts the bytes that it names', async () => {
    await writeFile(at('bucket.lock'), locked('one'))
    expect((await on('put', 'b/a/v', at('one'), '--lock', at('bucket.lock'))).exit).toBe(0)
    expect(await readFile(at('bucket.lock'), 'utf8')).toBe(locked('one'))
  })

  it.each(['put', 'push'])('after %s has stored does not hide what is stored', async (command) => {
    // Another writer locks other bytes while the artifact is sent.
    front.misbehave = ({ method, url }) => {
      if (method === 'PUT' && url?.endsWith('/versions/v')) writeFileSync(at('bucket.lock'), locked('other'))
      return false
    }
    const source = command === 'put' ? at('one') : at('tree')
    await mkdir(at('tree'))
    const ran = await on(command, 'b/a/v', source, '--lock', at('bucket.lock'), '--json')
    expect(ran.exit).toBe(4)
    expect(JSON.parse(ran.stdout)).toMatchObject({
      ref: expect.stringMatching(/^b\/a\/v@sha256:/),
      created: true,
      error: { what: 'The lock file does not allow this' },
    })
  })
})
