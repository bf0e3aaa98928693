import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient, type Entry } from '../../../lib/client/node.ts'
import type { Version } from '../../../lib/domain/identifiers.ts'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { withMembers } from '../../support/fault-layer.ts'

let front: ClientFront
afterEach(async () => await front.close())

async function listed(bucket: BucketClient): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const entry of bucket.listVersions({ bucketId: 'b', artifactId: 'a' })) entries.push(entry)
  return entries
}

describe('entries', () => {
  let bucket: BucketClient
  beforeEach(async () => {
    front = await startFront()
    bucket = new BucketClient({ url: front.url, retry: { baseMs: 1 } })
  })

  it('are read one by one', async () => {
    front.put('b/a/v:1', Buffer.from('x'))
    expect(await bucket.entry({ bucketId: 'b', artifactId: 'a', version: 'v:1' })).toMatchObject({
      ref: { version: 'v:1' },
      size: 1,
    })
    await expect(bucket.entry('b/a/v2')).rejects.toMatchObject({ code: 'version_not_found' })
  })

  it('are listed over all pages, empty ones included', async () => {
    for (const version of ['1', '2', '3', '4', '5']) front.put(`b/a/${version}`, Buffer.from(version))
    const { ledger } = front.stores
    // A store may give short pages, and empty ones (docs/http-api.md, section 6).
    let pages = 0
    const list: typeof ledger.list = async (key, after, limit) =>
      ++pages === 2 && after
        ? { entries: [], next: `${after}-` as Version }
        : ledger.list(key, after, Math.min(limit, 2))
    front.stores.ledger = { ...ledger, list }
    expect((await listed(bucket)).map(({ ref }) => ref.version)).toEqual(['1', '2', '3', '4', '5'])
    expect(front.received).toHaveLength(4)
  })

  it('may be empty', async () => {
    expect(await listed(bucket)).toEqual([])
  })

  it('require valid identifiers, and all errors are reported', async () => {
    expect(() => bucket.listVersions({ bucketId: 'b/b', artifactId: '' })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        details: {
          errors: [
            expect.objectContaining({ name: 'bucketId' }),
            expect.objectContaining({ name: 'artifactId' }),
          ],
        },
      }),
    )
  })

  it('stop at a cursor that repeats', async () => {
    front.misbehave = (_, response) => {
      response.end('{"versions":[],"next_cursor":"again"}')
      return true
    }
    await expect(listed(bucket)).rejects.toMatchObject({ kind: 'unexpected_response' })
  })

  it('are refused if they describe another artifact', async () => {
    front.put('b/a/v', Buffer.from('x'))
    front.put('b/a/other', Buffer.from('x'))
    front.misbehave = (request) => {
      request.url = request.url?.replace('/v/', '/other/')
      return false
    }
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ kind: 'unexpected_response' })
  })

  it.each<[string, Record<string, string>]>([
    ['of another artifact', { artifact_id: 'other' }],
    ['of another bucket', { bucket_id: 'other' }],
    ['with a malformed version', { version: '../v' }],
  ])('are not believed in a list that has one %s', async (_, members) => {
    front.put('b/a/1', Buffer.from('x'))
    front.put('b/a/2', Buffer.from('x'))
    front.misbehave = () =>
      withMembers(({ versions }) => {
        const [first, second] = versions as object[]
        return { versions: [first, { ...second, ...members }] }
      })
    await expect(listed(bucket)).rejects.toMatchObject({ kind: 'unexpected_response' })
  })

  it('are refused if their identifiers are malformed', async () => {
    front.put('b/a/v', Buffer.from('x'))
    front.misbehave = () => withMembers({ bucket_id: 'b b' })
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ kind: 'unexpected_response' })
  })

  it('may have members that this client does not know', async () => {
    front.put('b/a/v', Buffer.from('x'))
    front.misbehave = () => withMembers({ new_member: 1 })
    expect((await bucket.entry('b/a/v')).size).toBe(1)
  })
})

describe('the root of the API', () => {
  it('is used as given, at any path, with or without a trailing slash', async () => {
    front = await startFront({ root: '/team/artifacts' })
    for (const [version, url] of Object.entries({ one: front.url, two: `${front.url}/` })) {
      const bucket = new BucketClient({ url })
      await bucket.put(`b/a/${version}`, Buffer.from('x'))
      expect((await bucket.entry(`b/a/${version}`)).size).toBe(1)
      expect((await bucket.service()).limits.maxInlineBytes).toBe(64 * 1024 * 1024)
    }
    const signing = new BucketClient({ url: front.url, auth: { kind: 'api-key', key: 'k' } })
    expect(await new Response(await signing.get('b/a/one')).text()).toBe('x')
  })
})
