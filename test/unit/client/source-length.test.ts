/** Sources that yield more or fewer bytes than announced must not harm the next request on the connection. */
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient as BrowserClient } from '../../../lib/client/index.ts'
import { BucketClient, type Source } from '../../../lib/client/node.ts'
import { type ClientFront, IMPATIENT, startFront } from '../../support/client-front.ts'

const REF = 'b/a/v'
const PROMISED = Buffer.alloc(10, 'B')
let front: ClientFront
beforeEach(async () => {
  front = await startFront()
})
afterEach(async () => await front.close())

/** @param given the chunks of each opening; the last one repeats. */
function source(size: number, ...given: readonly (readonly Uint8Array[])[]): Source {
  let opened = 0
  return {
    size,
    async *open() {
      yield* given[Math.min(opened++, given.length - 1)] ?? []
    },
    dispose: async () => {},
  }
}

const hidden = () =>
  Buffer.from(
    `GET /v1/buckets/b/artifacts/other/versions/v HTTP/1.1\r\nHost: ${new URL(front.url).host}\r\n\r\n`,
  )

describe.each([
  ['in Node', () => new BucketClient({ url: front.url, ...IMPATIENT })],
  ['in a browser', () => new BrowserClient({ url: front.url, ...IMPATIENT })],
])('a source %s', (_, create) => {
  it.each([
    ['longer in one piece', () => [Buffer.concat([PROMISED, hidden()])]],
    ['longer by another piece', () => [PROMISED, new Uint8Array(0), hidden()]],
    ['shorter', () => [PROMISED.subarray(1)]],
    ['empty', () => []],
  ])('that is %s when it is sent stores nothing', async (_name, given) => {
    const bucket = create()
    // Not with the timeout that a request of fewer bytes would end in.
    await expect(bucket.put(REF, source(10, [PROMISED], given()))).rejects.toMatchObject({
      name: 'SourceChangedError',
    })
    expect(front.entries()).toEqual([])
    expect(front.received.filter(({ method }) => method !== 'PUT')).toEqual([])
    expect(front.received.length).toBeLessThanOrEqual(1)
  })

  it('with a wrong stated length is refused before anything is sent', async () => {
    for (const size of [9, 11])
      await expect(create().put(REF, source(size, [PROMISED]))).rejects.toMatchObject({
        name: 'SourceChangedError',
      })
    expect(front.received).toEqual([])
  })

  it('may yield its bytes in chunks of any size, empty ones included', async () => {
    const pieces = [new Uint8Array(0), PROMISED.subarray(0, 3), PROMISED.subarray(3), new Uint8Array(0)]
    expect((await create().put(REF, source(10, pieces))).created).toBe(true)
    expect((await front.bytesOf(REF))?.equals(PROMISED)).toBe(true)
  })
})

describe('the bytes of another artifact', () => {
  it('never replace the requested bytes, no matter what a source yielded before', async () => {
    front.put('b/other/v', Buffer.from('other bytes'))
    front.put('b/asked/v', Buffer.from('asked bytes'))
    const bucket = new BucketClient({ url: front.url, ...IMPATIENT })
    for (let round = 0; round < 5; round++) {
      const longer = source(10, [PROMISED], [Buffer.concat([PROMISED, hidden()])])
      await expect(bucket.put(`b/put/${round}`, longer)).rejects.toMatchObject({ name: 'SourceChangedError' })
      expect(await text(await bucket.get('b/asked/v'))).toBe('asked bytes')
    }
  })
})
