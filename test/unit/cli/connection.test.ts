/** What the commands of the client send of the secrets in their environment. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type PlayedFront, playFront } from '../client/played-front.ts'
import { bucket } from './command-line.ts'

let front: PlayedFront
beforeEach(async () => {
  front = await playFront()
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
  it('is sent whenever it is set, beside whatever else authorizes', async () => {
    const key = { BUCKET_API_KEY: 'k', BUCKET_TOKEN: 't' }
    const withKey = { 'x-api-key': 'k' }
    expect(await sent(key)).toMatchObject(withKey)
    expect(await sent(key, '--auth', 'none')).toMatchObject(withKey)
    expect(await sent(key, '--auth', 'bearer')).toMatchObject({ ...withKey, authorization: 'Bearer t' })
    const alone = await sent(key, '--auth', 'api-key')
    expect(alone).toMatchObject(withKey)
    expect(alone).not.toHaveProperty('authorization')
  })

  it('is sent with a signature of AWS', async () => {
    // The AWS chain reads the environment of the process.
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    const environment = { AWS_REGION: 'eu-west-1', BUCKET_API_KEY: 'k' }
    expect(await sent(environment, '--auth', 'iam')).toMatchObject({
      'x-api-key': 'k',
      authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\//),
    })
  })

  it('is not sent when it is not set, or empty', async () => {
    for (const environment of [{}, { BUCKET_API_KEY: '' }])
      expect(await sent(environment)).not.toHaveProperty('x-api-key')
  })
})
