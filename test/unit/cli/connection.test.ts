/** The secrets of the environment that the client commands send. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { bucket } from './command-line.ts'

let front: ClientFront
beforeEach(async () => {
  front = await startFront()
  front.put('b/a/v', Buffer.from('x'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await front.close()
})

/** The headers of one request made with this environment. */
async function sent(environment: Record<string, string>, ...args: string[]) {
  expect((await bucket(['show', 'b/a/v', ...args], { url: front.url, environment })).exit).toBe(0)
  return front.received.at(-1)?.headers ?? {}
}

describe('an API key in the environment', () => {
  it('is sent if it is set, in addition to any other authorization', async () => {
    const key = { BUCKET_API_KEY: 'k', BUCKET_TOKEN: 't' }
    const withKey = { 'x-api-key': 'k' }
    expect(await sent(key)).toMatchObject(withKey)
    expect(await sent(key, '--auth', 'none')).toMatchObject(withKey)
    expect(await sent(key, '--auth', 'bearer')).toMatchObject({ ...withKey, authorization: 'Bearer t' })
    const alone = await sent(key, '--auth', 'api-key')
    expect(alone).toMatchObject(withKey)
    expect(alone).not.toHaveProperty('authorization')
  })

  it('is sent with an AWS signature', async () => {
    // The AWS chain reads the environment of the process.
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    const environment = { AWS_REGION: 'eu-west-1', BUCKET_API_KEY: 'k' }
    expect(await sent(environment, '--auth', 'iam')).toMatchObject({
      'x-api-key': 'k',
      authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\//),
    })
  })

  it('is not sent if it is unset or empty', async () => {
    for (const environment of [{}, { BUCKET_API_KEY: '' }])
      expect(await sent(environment)).not.toHaveProperty('x-api-key')
  })
})

describe('a secret that is invalid in a header', () => {
  it.each([
    ['a token', { BUCKET_AUTH: 'bearer', BUCKET_TOKEN: 'hush\n' }, 'the token'],
    ['an API key', { BUCKET_API_KEY: 'hush\n' }, 'the API key'],
  ])('is a usage error: %s', async (_, environment, what) => {
    const ran = await bucket(['show', 'b/a/v'], { url: front.url, environment })
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toContain(what)
    expect(ran.stderr).toContain('BUCKET_TOKEN')
    expect(ran.stderr).not.toContain('hush')
    expect(front.received).toEqual([])
  })
})

describe('an address with more than the API root', () => {
  it.each(['http://user:hush@127.0.0.1:9470/v1', 'http://127.0.0.1:9470/v1?key=hush'])(
    'is a usage error that does not repeat it: %s',
    async (url) => {
      const ran = await bucket(['show', 'b/a/v', '--url', url])
      expect(ran).toMatchObject({ exit: 2, stdout: '' })
      expect(ran.stderr).not.toContain('hush')
    },
  )
})

describe('a file of certificates without one', () => {
  it('is a usage error that names the file, before any request', async () => {
    const ran = await bucket(['show', 'b/a/v', '--ca-file', 'package.json'], { url: front.url })
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toMatch(/"package\.json": it holds no certificate[\s\S]*next: .*BEGIN CERTIFICATE/)
    expect(front.received).toEqual([])
  })
})

describe('an address with an upper-case scheme', () => {
  it('is accepted', async () => {
    expect((await bucket(['show', 'b/a/v'], { url: front.url.replace('http', 'HTTP') })).exit).toBe(0)
  })
})
