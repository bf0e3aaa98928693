import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Interrupted } from '../../../lib/cli/failure.ts'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { sha256, someBytes } from '../../support/random-bytes.ts'
import { bucket } from './command-line.ts'

let front: ClientFront
let folder: string
beforeEach(async () => {
  front = await startFront()
  folder = await mkdtemp(join(tmpdir(), 'cli-'))
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)
const on = (...args: string[]) => bucket(args, { url: front.url })

describe('bucket put', () => {
  it('prints the pinned reference, and says whether it already existed', async () => {
    const bytes = someBytes(100)
    await writeFile(at('model'), bytes)
    const first = await on(
      'put',
      'b/a/v',
      at('model'),
      '--uploaded-by',
      'cluster 5',
      '--provenance-source',
      'run',
    )
    expect(first).toMatchObject({ exit: 0, stdout: `b/a/v@${sha256(bytes)}\n`, stderr: 'stored, 100 B\n' })
    expect(front.entries()).toMatchObject([{ uploadedBy: 'cluster 5', provenanceSource: 'run' }])
    const again = await on('put', 'b/a/v', at('model'))
    expect(again).toMatchObject({ exit: 0, stdout: first.stdout })
    expect(again.stderr).toContain('already stored, identical')
  })

  it('names artifacts without a version by content, from a file and from stdin', async () => {
    const bytes = someBytes(100)
    const version = `sha256-${sha256(bytes).slice(7, 19)}`
    await writeFile(at('model'), bytes)
    expect((await on('put', 'b/a', at('model'))).stdout).toBe(`b/a/${version}@${sha256(bytes)}\n`)
    const piped = await bucket(['put', 'b/piped', '-', '--json'], { url: front.url, stdin: bytes })
    expect(JSON.parse(piped.stdout)).toMatchObject({ created: true, entry: { version, size: 100 } })
  })

  it('refuses other bytes with 4, in three parts and as JSON', async () => {
    front.put('b/a/v', Buffer.from('first'))
    await writeFile(at('model'), 'other')
    const ran = await on('put', 'b/a/v', at('model'), '--json')
    expect(ran.exit).toBe(4)
    expect(ran.stderr).toMatch(/^error: .+\n {2}why: {2}.+\n(?: {8}.+\n)*? {2}next: .+\n$/)
    expect(JSON.parse(ran.stdout)).toMatchObject({
      error: {
        code: 'version_exists',
        exit_code: 4,
        members: { conflict: 'different', stored: { size: 5 } },
      },
    })
  })

  it('prints only results with --quiet', async () => {
    await writeFile(at('model'), 'x')
    expect((await on('put', 'b/a/v', at('model'), '--quiet')).stderr).toBe('')
  })
})

describe('bucket get', () => {
  const bytes = someBytes(2_000_000)
  beforeEach(() => front.put('b/a/v', bytes))

  it("writes to a file, into a folder under the artifact's name, or to stdout", async () => {
    expect(await on('get', 'b/a/v', '-o', at('model'))).toMatchObject({ exit: 0, stdout: `${at('model')}\n` })
    expect((await readFile(at('model'))).equals(bytes)).toBe(true)
    const json = await on('get', `b/a/v@${sha256(bytes)}`, '-o', folder, '--json')
    expect(JSON.parse(json.stdout)).toEqual({
      path: at('a-v'),
      ref: `b/a/v@${sha256(bytes)}`,
      digest: sha256(bytes),
      size: 2_000_000,
      fetched: true,
    })
    expect((await on('get', 'b/a/v', '-o', '-')).bytes.equals(bytes)).toBe(true)
    expect((await readdir(folder)).sort()).toEqual(['a-v', 'model'])
  })

  it('exits 5 on wrong bytes, leaves no file, and never writes all bytes to stdout', async () => {
    front.put('b/a/wrong', bytes, { stored: someBytes(2_000_000) })
    const ran = await on('get', 'b/a/wrong', '-o', at('model'))
    expect(ran.exit).toBe(5)
    expect(ran.stderr).toContain('Do not use these bytes')
    expect(await readdir(folder)).toEqual([])
    const piped = await on('get', 'b/a/wrong', '-o', '-')
    expect(piped.exit).toBe(5)
    expect(piped.bytes.byteLength).toBeLessThan(1_000_000)
  })

  it('exits 5 if the stored digest differs from the requested one', async () => {
    const ran = await on('get', `b/a/v@${sha256(Buffer.from('x'))}`, '-o', at('model'))
    expect(ran.exit).toBe(5)
    expect(ran.stderr).toContain(sha256(bytes))
  })

  it('refuses a target that cannot be a file before any request', async () => {
    execFileSync('mkfifo', [at('fifo')])
    const ran = await on('get', 'b/a/v', '-o', at('fifo'))
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toContain('-o -')
    expect((await stat(at('fifo'))).isFIFO()).toBe(true)
    expect(await on('get', 'b/a/v', '-o', '')).toMatchObject({ exit: 2, stdout: '' })
    expect(front.received).toEqual([])
  })

  it('refuses an artifact name that cannot be a file name before any request', async () => {
    const long = `b/${'a'.repeat(128)}/${'v'.repeat(127)}`
    front.put(long, bytes)
    for (const output of [[], ['-o', folder]]) {
      const ran = await on('get', long, ...output)
      expect(ran).toMatchObject({ exit: 2, stdout: '' })
      expect(ran.stderr).toContain('-o FILE')
    }
    expect(front.received).toEqual([])
    expect((await on('get', long, '-o', at('model'))).exit).toBe(0)
    // One byte less is what a folder takes.
    const longest = `b/${'a'.repeat(128)}/${'v'.repeat(126)}`
    front.put(longest, bytes)
    expect((await on('get', longest, '-o', folder)).exit).toBe(0)
  })

  it('names a target that cannot be written', async () => {
    const ran = await on('get', 'b/a/v', '-o', join(at('absent'), 'model'))
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toContain(join(at('absent'), 'model'))
    expect(ran.stderr).not.toContain('bucket-part')
  })

  it('says after an interrupt of a push that the server keeps what has arrived', async () => {
    await mkdir(at('tree'))
    await writeFile(at('tree/model'), 'x')
    const given = new AbortController()
    front.misbehave = ({ method }) => {
      if (method !== 'PUT') return false
      given.abort(new Interrupted('SIGINT'))
      return true
    }
    const args = ['push', 'b/pushed/v', at('tree'), '--no-cache']
    const ran = await bucket(args, { url: front.url, signal: given.signal })
    expect(ran).toMatchObject({ exit: 130, stdout: '' })
    expect(ran.stderr).toBe(
      'stopped: the server keeps what has arrived, and the same command sends only the rest\n',
    )
  })

  it('leaves no file of that name and exits 130 on an interrupt', async () => {
    const given = new AbortController()
    front.misbehave = () => ({
      piece(piece, at) {
        if (at + piece.byteLength > 1_500_000) given.abort(new Interrupted('SIGINT'))
        return piece
      },
      after: { bytes: 1_600_000, how: 'stall' },
    })
    const ran = await bucket(['get', 'b/a/v', '-o', at('model')], { url: front.url, signal: given.signal })
    expect(ran).toMatchObject({ exit: 130, stdout: '' })
    expect(ran.stderr).not.toContain('error:')
    expect(await readdir(folder)).not.toContain('model')
  })
})

describe('bucket show, list and digest', () => {
  it('print entries, for people and for programs', async () => {
    const entry = front.put('b/a/v', Buffer.from('x'))
    for (const version of ['w', 'x', 'y']) front.put(`b/a/${version}`, Buffer.from(version))
    expect((await on('show', 'b/a/v')).stdout).toContain(`digest             ${entry.digest}\n`)
    expect(JSON.parse((await on('show', 'b/a/v', '--json')).stdout)).toEqual({
      ref: `b/a/v@${entry.digest}`,
      ...((await (await fetch(`${front.url}/buckets/b/artifacts/a/versions/v/entry`)).json()) as object),
    })
    const lines = (await on('list', 'b/a')).stdout.trimEnd().split('\n')
    expect(lines.map((line) => line.split(/\s+/)[0])).toEqual(['v', 'w', 'x', 'y'])
    expect((await on('list', 'b/a', '-q')).stdout).toBe('v\nw\nx\ny\n')
    expect(JSON.parse((await on('list', 'b/a', '--json')).stdout).versions).toHaveLength(4)
    expect(await on('list', 'b/none')).toMatchObject({
      exit: 0,
      stdout: '',
      stderr: 'b/none has no versions\n',
    })
  })

  it('compute the digest of a file and of stdin', async () => {
    await writeFile(at('model'), 'hello')
    expect((await on('digest', at('model'))).stdout).toBe(`${sha256(Buffer.from('hello'))}\n`)
    const piped = await bucket(['digest', '-', '--json'], { stdin: Buffer.from('hello') })
    expect(JSON.parse(piped.stdout)).toEqual({ digest: sha256(Buffer.from('hello')), size: 5 })
  })
})
