/** What the client refuses before it asks anybody: an address and secrets that it could not send as they are. */
import { describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { sendProblem, startFront } from '../../support/client-front.ts'

const LOCAL = 'http://127.0.0.1:9470/v1'
/** Longer than the one millisecond that a timer takes for a time beyond its range. */
const LATE_MS = 50

/** The words of a refusal. */
function refusalOf(options: ConstructorParameters<typeof BucketClient>[0]): string {
  try {
    new BucketClient(options)
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return String(error)
  }
  throw new Error('not refused')
}

describe('a secret', () => {
  it.each([
    ['a line end', 'hush\n'],
    ['a line end in the middle', 'hu\r\nsh'],
    ['a control character', 'hu\u0007sh'],
    ['a letter beyond ASCII', 'hüsh'],
    ['a space at its end', 'hush '],
    ['nothing', ''],
  ])('with %s is refused, and not repeated in the error', (_, secret) => {
    for (const options of [
      { auth: { kind: 'bearer', token: secret } },
      { auth: { kind: 'api-key', key: secret } },
      { apiKey: secret },
    ] as const) {
      const words = refusalOf({ url: LOCAL, ...options })
      expect(words).toMatch(/token|key/)
      expect(words).not.toMatch(/h[uü]/)
    }
  })

  it('of visible ASCII is accepted', () => {
    new BucketClient({ url: LOCAL, auth: { kind: 'bearer', token: 'a.b-c_d~e+f/g==' }, apiKey: 'two words' })
  })
})

describe('an address', () => {
  it.each([
    ['credentials', 'http://user:hush@127.0.0.1:9470/v1'],
    ['a user', 'http://user@127.0.0.1:9470/v1'],
    ['a query', `${LOCAL}?token=hush`],
    ['a fragment', `${LOCAL}#hush`],
  ])('with %s is refused, and its secrets are not repeated in the error', (_, url) => {
    for (const given of [url, new URL(url)]) expect(refusalOf({ url: given })).not.toContain('hush')
  })

  it('without an HTTP scheme is refused', () => {
    for (const url of ['ftp://127.0.0.1/v1', 'file:///v1', 'nonsense']) refusalOf({ url })
  })

  it('may have an upper-case scheme', async () => {
    const front = await startFront()
    front.put('b/a/v', Buffer.from('x'))
    const bucket = new BucketClient({ url: front.url.replace('http', 'HTTP') })
    expect((await bucket.entry('b/a/v')).size).toBe(1)
    await front.close()
  })
})

describe('an option of a caller without types', () => {
  it.each<[string, unknown, RegExp]>([
    ['an address instead of the options', LOCAL, /options must be an object/],
    ['a URL instead of the options', new URL(LOCAL), /options must be an object/],
    ['a list instead of the options', [], /options must be an object/],
    ['null instead of the options', null, /options must be an object/],
    ['a misspelt name', { baseUrl: LOCAL }, /unknown option: "baseUrl"; known: "url"/],
    ['a name for auth', { auth: 'bearer' }, /unknown kind of auth; valid: none, bearer/],
    ['an unknown kind', { auth: { kind: 'hush' } }, /unknown kind of auth/],
    ['a missing token', { auth: { kind: 'bearer' } }, /the token is missing/],
    ['a missing key', { auth: { kind: 'api-key' } }, /the API key is missing/],
    ['no attempt', { retry: { attempts: 0 } }, /retry\.attempts is 0: give a whole number of at least 1/],
    ['a part of an attempt', { retry: { attempts: 1.5 } }, /retry\.attempts is 1\.5: give a whole number/],
    ['a number for retry', { retry: 3 }, /retry must be an object with numbers/],
    ['a switch for retry', { retry: false }, /retry must be an object/],
    ['a list for retry', { retry: [] }, /retry must be an object/],
    ['a list for timeouts', { timeouts: [] }, /timeouts must be an object with numbers/],
    ['a misspelt retry', { retry: { attempt: 3 } }, /unknown member of retry: "attempt"; known: "attempts"/],
    ['a negative time', { timeouts: { idleMs: -1 } }, /timeouts\.idleMs is -1: give a number of at least 0/],
    ['a text for a time', { timeouts: { idleMs: '5s' } }, /timeouts\.idleMs is 5s/],
    ['no number', { retry: { baseMs: Number.NaN } }, /retry\.baseMs is NaN/],
  ])('is refused: %s', (_, options, words) => {
    const refusal = refusalOf(options as object)
    expect(refusal).toMatch(words)
    expect(refusal).not.toContain('hush')
  })

  it('that is undefined keeps its default', async () => {
    const unset = { attempts: undefined, baseMs: 1 } as object
    const bucket = new BucketClient({ url: 'http://127.0.0.1:1/v1', retry: unset })
    await expect(bucket.service()).rejects.toMatchObject({ kind: 'unreachable' })
    for (const options of [undefined, {}, { retry: undefined, timeouts: undefined }])
      expect(new BucketClient(options).url).toBe(LOCAL)
  })
})

describe('an option that is Infinity', () => {
  it('of attempts repeats a request until it succeeds', async () => {
    const front = await startFront()
    let failures = 0
    front.misbehave = (_, response) => {
      if (failures === 20) return false
      failures += 1
      sendProblem(response, 'unavailable')
      return true
    }
    const bucket = new BucketClient({
      url: front.url,
      retry: { attempts: Number.POSITIVE_INFINITY, baseMs: 0, maxRetryAfterMs: Number.POSITIVE_INFINITY },
    })
    expect((await bucket.put('b/a/v', Buffer.from('x'))).created).toBe(true)
    expect(failures).toBe(20)
    await front.close()
  })

  it.each([Number.POSITIVE_INFINITY, 2 ** 31])('of timeouts never ends a wait early: %d', async (ms) => {
    const front = await startFront()
    const bucket = new BucketClient({
      url: front.url,
      retry: { attempts: 1 },
      timeouts: { idleMs: ms, continueMs: ms, pollMs: ms, verificationIdleMs: ms },
    })
    const bytes = Buffer.alloc(2_000_000)
    let early = 0
    front.misbehave = (request, response) => {
      if (request.method !== 'PUT') return false
      request.on('data', (chunk: Buffer) => {
        early += chunk.byteLength
      })
      setTimeout(() => sendProblem(response, 'insufficient_storage'), LATE_MS)
      return true
    }
    await expect(bucket.put('b/a/v', bytes)).rejects.toMatchObject({ code: 'insufficient_storage' })
    expect(early).toBe(0)
    await front.close()
  })
})
