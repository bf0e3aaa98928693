import { buffer } from 'node:stream/consumers'
import { SignatureV4 } from '@smithy/signature-v4'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { authForHost, authorizer } from '../../../lib/client/api/auth.ts'
import { nodePlatform } from '../../../lib/client/node/platform.ts'
import { BucketClient } from '../../../lib/client/node.ts'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { type FaultLayer, faultLayer, withMembers } from '../../support/fault-layer.ts'
import { sha256 } from '../../support/random-bytes.ts'

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'session' }
let front: ClientFront
let store: FaultLayer
beforeEach(async () => {
  front = await startFront()
  store = await faultLayer()
  store.target = front.target
})
afterEach(async () => {
  await front.close()
  await store.close()
})

const bytes = Buffer.from('the bytes')
const at = (version: string) => `/v1/buckets/b/artifacts/a/versions/${version}`

/** Lets the front say that the bytes are at `url`. The store there is another way to the same API. */
function handOut(url: string, headers: Record<string, string> = {}): void {
  front.misbehave = (asked) => {
    if (!asked.url?.includes('/download')) return false
    return withMembers({ url, headers })
  }
}

describe('authorization', () => {
  it('goes with every request to the API, and never with one to the store', async () => {
    for (const [auth, header, value] of [
      [{ kind: 'bearer', token: 't' }, 'authorization', /^Bearer t$/],
      [{ kind: 'api-key', key: 'k' }, 'x-api-key', /^k$/],
      [
        { kind: 'iam', region: 'eu-west-1', credentials: async () => CREDENTIALS },
        'authorization',
        /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/execute-api\/aws4_request/,
      ],
    ] as const) {
      front.received.length = 0
      store.received.length = 0
      const bucket = new BucketClient({ url: front.url, auth })
      await bucket.put(`b/a/${auth.kind}`, bytes)
      handOut(`${store.origin}${at(auth.kind)}`, { 'x-signed': 'yes' })
      expect((await buffer(await bucket.get(`b/a/${auth.kind}`))).equals(bytes)).toBe(true)
      front.misbehave = undefined
      expect(front.received.length).toBe(2)
      for (const { headers } of front.received) expect(headers[header]).toMatch(value)
      expect(Object.keys(store.received[0]?.headers ?? {}).sort()).toEqual([
        'accept-encoding',
        'connection',
        'host',
        'x-signed',
      ])
    }
  })

  it('is sent with a given API key, and neither goes to the store', async () => {
    for (const [auth, authorization] of [
      [undefined, undefined],
      [{ kind: 'none' }, undefined],
      [{ kind: 'bearer', token: 't' }, /^Bearer t$/],
      [
        { kind: 'iam', region: 'eu-west-1', credentials: async () => CREDENTIALS },
        // The signature covers the key, so no proxy can replace it.
        /^AWS4-HMAC-SHA256 .*SignedHeaders=[a-z0-9;-]*;x-api-key[;,]/,
      ],
    ] as const) {
      front.received.length = 0
      store.received.length = 0
      const bucket = new BucketClient({ url: front.url, auth, apiKey: 'k' })
      const version = auth?.kind ?? 'v'
      await bucket.put(`b/a/${version}`, bytes)
      handOut(`${store.origin}${at(version)}`)
      expect((await buffer(await bucket.get(`b/a/${version}`))).equals(bytes)).toBe(true)
      front.misbehave = undefined
      expect(front.received.map(({ headers }) => headers['x-api-key'])).toEqual(['k', 'k'])
      for (const { headers } of front.received)
        if (authorization === undefined) expect(headers).not.toHaveProperty('authorization')
        else expect(headers.authorization).toMatch(authorization)
      expect(Object.keys(store.received[0]?.headers ?? {}).sort()).toEqual([
        'accept-encoding',
        'connection',
        'host',
      ])
    }
  })

  it('is not sent to an address that looks like an API path and leads elsewhere', async () => {
    front.put('b/a/v', bytes)
    const bucket = new BucketClient({ url: front.url, auth: { kind: 'bearer', token: 't' }, apiKey: 'k' })
    // The URL standard reads a backslash as a slash and drops tabs and line ends: all of these name the host of the store.
    for (const slashes of ['//', '/\\', '/\t/', '/\n\\']) {
      store.received.length = 0
      handOut(`${slashes}${new URL(store.origin).host}${at('v')}`)
      expect((await buffer(await bucket.get('b/a/v'))).equals(bytes)).toBe(true)
      expect(Object.keys(store.received[0]?.headers ?? {}).sort()).toEqual([
        'accept-encoding',
        'connection',
        'host',
      ])
    }
  })

  it('is not sent to a presigned address of the same host', async () => {
    front.put('b/a/v', bytes)
    const bucket = new BucketClient({ url: front.url, auth: { kind: 'bearer', token: 't' } })
    handOut(`${front.origin}${at('v')}`)
    expect((await buffer(await bucket.get('b/a/v'))).equals(bytes)).toBe(true)
    expect(Object.keys(front.received.at(-1)?.headers ?? {}).sort()).toEqual([
      'accept-encoding',
      'connection',
      'host',
    ])
  })

  it('is iam for an address of API Gateway and nothing elsewhere', () => {
    const kind = (url: string) => authForHost(new URL(url)).kind
    expect(kind('https://abc123.execute-api.eu-west-1.amazonaws.com/v1')).toBe('iam')
    expect(kind('https://abc123-vpce-1.execute-api.eu-west-1.amazonaws.com/v1')).toBe('iam')
    expect(kind('https://artifacts.example/v1')).toBe('none')
    expect(kind('https://execute-api.eu-west-1.amazonaws.com.evil.example/v1')).toBe('none')
  })

  it('names what iam lacks', () => {
    expect(() => new BucketClient({ url: 'https://artifacts.example/v1', auth: { kind: 'iam' } })).toThrow(
      'region',
    )
  })

  it('signs as the AWS SDK signs', async () => {
    const root = new URL('https://abc123.execute-api.eu-west-1.amazonaws.com/v1')
    const authorize = authorizer({ kind: 'iam', credentials: async () => CREDENTIALS }, root, nodePlatform())
    const url = new URL(`${root.href}/buckets/b/artifacts/a%3Ab%2B1/versions?limit=2&cursor=a%2Fb%3D%20c`)
    const body = sha256(Buffer.from('x')).slice(7)
    const ours = await authorize.headers({
      method: 'PUT',
      url,
      headers: { 'X-Uploaded-By': 'team 5' },
      bodySha256: body,
    })
    const { createHash, createHmac } = await import('node:crypto')
    class Sha256 {
      #hash
      constructor(key?: string | ArrayBuffer | ArrayBufferView) {
        this.#hash =
          key === undefined
            ? createHash('sha256')
            : createHmac('sha256', typeof key === 'string' ? key : Buffer.from(key as Uint8Array))
      }
      update(data: Uint8Array | string) {
        this.#hash.update(data)
      }
      async digest() {
        return new Uint8Array(this.#hash.digest())
      }
    }
    const signer = new SignatureV4({
      credentials: CREDENTIALS,
      region: 'eu-west-1',
      service: 'execute-api',
      sha256: Sha256,
      uriEscapePath: true,
    })
    const stamp = ours['x-amz-date'] ?? ''
    const date = new Date(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
    const theirs = await signer.sign(
      {
        method: 'PUT',
        protocol: 'https:',
        hostname: url.hostname,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { host: url.host, 'x-uploaded-by': 'team 5', 'x-amz-content-sha256': body },
      },
      { signingDate: date },
    )
    expect(ours.authorization).toBe(theirs.headers.authorization)
  })
})
