import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeFailure } from '../../../lib/cli/failure-text.ts'
import { REFUSALS } from '../../../lib/cli/refusal-texts.ts'
import type { ErrorCode } from '../../../lib/domain/errors.ts'
import { type ClientFront, sendProblem, startFront } from '../../support/client-front.ts'
import { sha256 } from '../../support/random-bytes.ts'
import { bucket } from './command-line.ts'

let front: ClientFront
beforeEach(async () => {
  front = await startFront()
})
afterEach(async () => await front.close())

const show = () => bucket(['show', 'b/a/v'], { url: front.url })

describe('the exit code', () => {
  it.each<[ErrorCode, number]>([
    ['version_not_found', 3],
    ['version_exists', 4],
    ['digest_mismatch', 5],
    ['artifact_too_large', 6],
    ['unauthorized', 8],
    ['forbidden', 8],
    ['host_not_allowed', 1],
    ['insufficient_storage', 1],
  ])('of %s is %i, and stderr says what, why and what next', async (code, exit) => {
    front.misbehave = (_, response) =>
      sendProblem(response, code, {
        declared_digest: sha256(Buffer.from('x')),
        stored: { digest: sha256(Buffer.from('y')) },
      })
    const ran = await show()
    expect(ran.exit).toBe(exit)
    expect(ran.stderr).toContain(`error: ${REFUSALS[code].what}\n  why:  `)
    expect(ran.stderr).toContain(`  next: ${REFUSALS[code].next}\n`)
  })

  it('is 2 if the URL is not an API root, without a report of a missing version', async () => {
    front.misbehave = (_, response) => sendProblem(response, 'route_not_found')
    const ran = await show()
    expect(ran.exit).toBe(2)
    expect(ran.stderr).toContain('--url')
  })

  it.each<[ErrorCode, object, number]>([
    ['invalid_request', { errors: [null, 5, { name: 'limit' }] }, 2],
    ['version_exists', {}, 4],
    ['upload_conflict', {}, 4],
  ])('of %s is told though its members are %j', async (code, members, exit) => {
    front.misbehave = (_, response) => sendProblem(response, code, { ...members })
    const ran = await bucket(['show', 'b/a/v', '--json'], { url: front.url })
    expect(ran.exit).toBe(exit)
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code } })
  })

  it('is 7 if the server stays unavailable after retries', async () => {
    front.misbehave = (_, response) => sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    expect((await show()).exit).toBe(7)
    expect(front.received.length).toBeGreaterThan(1)
  })

  it('is 7 when no server listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await new Promise((resolve) => server.close(resolve))
    const ran = await bucket(['show', 'b/a/v', '--url', `http://127.0.0.1:${port}/v1`])
    expect(ran.exit).toBe(7)
    expect(ran.stderr).toContain('no server listens there')
  })

  it('is 8 without credentials for signing', async () => {
    // What the SDK throws, by the name that it gives it.
    const error = Object.assign(new Error('Could not load credentials'), { name: 'CredentialsProviderError' })
    const failure = describeFailure(error)
    expect(failure).toMatchObject({ exit: 8, why: ['Could not load credentials'] })
    expect(failure.next).toContain('AWS_PROFILE')
  })

  it('is printed with text that can neither control a terminal nor fake a line', async () => {
    const steering = '\u001b[2J\u009b31mred\u0007\r\nerror: \u202efaked\tnext'
    front.misbehave = (_, response) =>
      sendProblem(response, 'invalid_request', {
        detail: steering,
        next: steering,
        request_id: steering,
        errors: [{ name: steering, detail: steering }, {}],
      })
    const { stderr } = await show()
    expect(stderr).toContain('\ufffd[2J\ufffd31mred\ufffd')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(stderr.split('\n').filter((line) => line.startsWith('error:'))).toHaveLength(1)
  })

  it('is 6 if a proxy refuses the size of a body', async () => {
    front.misbehave = (_, response) => {
      response.writeHead(413).end('<html>too large</html>')
      return true
    }
    const ran = await bucket(['put', 'b/a/v', '-'], { url: front.url, stdin: Buffer.from('x') })
    expect(ran.exit).toBe(6)
  })

  it('is 6 if stdin gives more than the deployment takes, without a copy of all of it', async () => {
    Object.assign(front.stores, { maxArtifactBytes: 65 * 1024 ** 2 })
    let chunks = 0
    async function* endless() {
      for (const chunk = new Uint8Array(1024 ** 2); chunks < 200; chunks++) yield chunk
    }
    const ran = await bucket(['put', 'b/a/v', '-'], { url: front.url, stdin: endless() })
    expect(ran.exit).toBe(6)
    expect(ran.stderr).toContain('the stream has more than')
    expect(chunks).toBeLessThan(100)
  })

  it('is 2 for a path or an address that cannot be used', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'exit-codes-'))
    const at = (name: string) => join(folder, name)
    await writeFile(at('file'), 'text')
    await symlink('circle-2', at('circle-1'))
    await symlink('circle-1', at('circle-2'))
    front.put('b/a/v', Buffer.from('bytes'))
    for (const [args, reason] of [
      [['get', 'b/a/v', '-o', at('circle-1')], 'symlinks'],
      [['get', 'b/a/v', '-o', at('n'.repeat(256))], 'name is too long'],
      [['pull', 'b/a/v', at('new')], 'is not a folder'],
      [['backup', folder, '--data-dir', folder], "isn't a Bucket folder"],
      [['ls', '--data-dir', at('file')], 'is a file'],
    ] as const) {
      const ran = await bucket(args, { url: front.url })
      expect(ran, args.join(' ')).toMatchObject({ exit: 2, stdout: '' })
      expect(ran.stderr).toContain(reason)
    }
    for (const code of ['EEXIST', 'EACCES', 'EROFS', 'EADDRNOTAVAIL'])
      expect(describeFailure(Object.assign(new Error(code), { code })).exit, code).toBe(2)
    await rm(folder, { recursive: true })
  })

  it('is 2 for a malformed reference or digest, without a request', async () => {
    for (const args of [
      ['show', 'b/a'],
      ['show', 'b/a/_'],
      ['get', 'b/a/v@sha256:ABC'],
      ['put', 'b', 'file'],
      ['put', 'b/a/v', '/does/not/exist'],
      ['list', 'b/a/v'],
    ])
      expect(await bucket(args, { url: front.url })).toMatchObject({ exit: 2, stdout: '' })
    expect(front.received).toEqual([])
  })
})
