/** What the client refuses before it asks anybody: an address and secrets that it could not send as they are. */
import { describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { startFront } from '../../support/client-front.ts'

const LOCAL = 'http://127.0.0.1:9470/v1'

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
    ['a misspelt name', { baseUrl: LOCAL }, /unknown option: "baseUrl"; known: "url"/],
    ['a name for auth', { auth: 'bearer' }, /auth has no known kind: give one of none, bearer/],
    ['an unknown kind', { auth: { kind: 'hush' } }, /auth has no known kind/],
    ['a missing token', { auth: { kind: 'bearer' } }, /the token is missing/],
    ['a missing key', { auth: { kind: 'api-key' } }, /the API key is missing/],
    ['no attempt', { retry: { attempts: 0 } }, /retry\.attempts is 0: give a whole number of at least 1/],
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
  })
})
