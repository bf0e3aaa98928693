/** The stream ends normally only after all bytes arrived and matched, so it is safe to publish them at its end. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_DIGEST } from '../../../lib/domain/digest.ts'
import { BucketError } from '../../../lib/domain/errors.ts'
import { DIAGNOSABLE_BYTES, KEPT_BYTES, KeptBody } from '../../../lib/repository/digest-diagnosis.ts'
import { verifyingStream } from '../../../lib/repository/verifying-stream.ts'
import { collect, digestOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'

const BYTES = someBytes(1000)
const LIMIT = 4096
const tooLarge = () => new BucketError('artifact_too_large', 'too large', { maxArtifactBytes: LIMIT })

const verified = (
  source: AsyncIterable<Uint8Array>,
  digest = digestOf(BYTES),
  size: number | undefined = undefined,
  maxBytes = LIMIT,
) => verifyingStream(source, { digest, size, maxBytes, tooLarge })

/** A reader's view: the bytes, and how they ended. */
async function readToEnd(stream: AsyncIterable<Uint8Array>) {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of stream) chunks.push(chunk)
    return { bytes: Buffer.concat(chunks), end: 'normal' }
  } catch (error) {
    return { bytes: Buffer.concat(chunks), end: error }
  }
}

describe('right bytes', () => {
  it('pass unchanged in chunks of any size, and are counted correctly', async () => {
    const chunks = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(chunks, async (sizes) => {
        const stream = verified(inChunks(BYTES, ...sizes))
        expect(await collect(stream)).toEqual(BYTES)
        expect(stream.size).toBe(BYTES.byteLength)
      }),
    )
  })

  it('may be empty', async () => {
    const stream = verified(inChunks(new Uint8Array(), 1), EMPTY_DIGEST, 0)
    expect(await collect(stream)).toEqual(new Uint8Array())
    expect(stream.size).toBe(0)
  })

  it('may reach the limit exactly', async () => {
    expect(await collect(verified(inChunks(BYTES, 7), digestOf(BYTES), 1000, 1000))).toEqual(BYTES)
  })
})

describe('other bytes', () => {
  it('that differ in any byte are refused at the end, with both digests', async () => {
    const changes = fc.tuple(fc.integer({ min: 0, max: 999 }), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(changes, async ([at, flip]) => {
        const other = BYTES.slice()
        other[at] = (other[at] ?? 0) ^ flip
        const { end } = await readToEnd(verified(inChunks(other, 99)))
        expect(end).toMatchObject({
          code: 'digest_mismatch',
          details: { declaredDigest: digestOf(BYTES), computedDigest: digestOf(other), size: 1000 },
        })
      }),
    )
  })

  it('are refused with a likely cause', async () => {
    const { end } = await readToEnd(verified(inChunks(Buffer.from('text\n')), digestOf(Buffer.from('text'))))
    expect(end).toMatchObject({ details: { hint: expect.stringContaining('without their last newline') } })
  })

  it.each([
    ['fewer', BYTES.subarray(0, 999)],
    ['more', Buffer.concat([BYTES, BYTES.subarray(0, 1)])],
    ['no', new Uint8Array()],
  ])('that are %s than announced are refused as a malformed request', async (_, bytes) => {
    const { end } = await readToEnd(verified(inChunks(bytes, 64), digestOf(bytes), 1000))
    expect(end).toMatchObject({ code: 'invalid_request', details: { errors: [{ name: 'size' }] } })
  })
})

describe('a stream that fails', () => {
  it('stops at the first byte beyond the limit, and reads no further', async () => {
    let given = 0
    async function* endless() {
      for (;;) {
        given += 1
        yield BYTES.subarray(0, 100)
      }
    }
    const { bytes, end } = await readToEnd(verified(endless(), EMPTY_DIGEST, undefined, 250))
    expect(end).toMatchObject({ code: 'artifact_too_large' })
    expect(bytes.byteLength).toBe(200)
    expect(given).toBe(3)
  })

  it('ends with the failure of its source', async () => {
    const broken = new Error('connection reset')
    async function* breaking() {
      yield BYTES
      throw broken
    }
    expect((await readToEnd(verified(breaking()))).end).toBe(broken)
  })

  it('closes its source when the reader stops early', async () => {
    let isClosed = false
    async function* source() {
      try {
        yield BYTES
        yield BYTES
      } finally {
        isClosed = true
      }
    }
    for await (const _ of verified(source())) break
    expect(isClosed).toBe(true)
  })

  it('releases what it keeps for a hint as soon as its reader stops, even while its source hangs', async () => {
    async function* hanging() {
      yield new Uint8Array(DIAGNOSABLE_BYTES)
      await new Promise(() => {})
    }
    for (let kept = 0; kept <= KEPT_BYTES; kept += DIAGNOSABLE_BYTES) {
      const reader = verified(hanging(), EMPTY_DIGEST, undefined, DIAGNOSABLE_BYTES)[Symbol.asyncIterator]()
      await reader.next()
      void reader.next()
      void reader.return?.()
    }
    const next = new KeptBody()
    next.keep(new Uint8Array(1))
    expect(next.bytes).toBeDefined()
    next.release()
  })

  it('is never read a second time, because a retry would read an empty body', async () => {
    const stream = verified(inChunks(BYTES, 100))
    for await (const _ of stream) break
    expect((await readToEnd(stream)).end).toEqual(new Error('a verified stream can be read only once'))
  })
})
