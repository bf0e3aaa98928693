import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { spool } from '../../../lib/client/node/file-source.ts'
import { createSha256 } from '../../../lib/client/node/sha256.ts'
import { ArtifactHash, hashSource } from '../../../lib/client/transfer/artifact-hash.ts'
import { bytesSource } from '../../../lib/client/transfer/source.ts'
import { MIB, partSize } from '../../../lib/domain/limits.ts'
import { someBytes } from '../../support/random-bytes.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The digest and parts that an upload of these bytes must announce, computed the simple way. */
const partsOf = (bytes: Uint8Array, size = partSize(bytes.byteLength)) =>
  Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, at) =>
    sha256(bytes.subarray(at * size, (at + 1) * size)),
  )

describe('the digests of an artifact', () => {
  it('cover the whole and each part, however the bytes are divided', () => {
    const size = 33 * MIB + 1
    const bytes = someBytes(size)
    const expected = { sha256: sha256(bytes), partSha256s: partsOf(bytes) }
    const cuts = fc.array(fc.integer({ min: 0, max: size }), { maxLength: 8 })
    fc.assert(
      fc.property(cuts, (positions) => {
        const hash = new ArtifactHash(createSha256, partSize(size))
        const edges = [0, ...positions.toSorted((one, other) => one - other), size]
        for (const [at, edge] of edges.entries()) hash.update(bytes.subarray(edge, edges[at + 1] ?? size))
        expect(hash.digests()).toEqual(expected)
      }),
      { numRuns: 10, examples: [[[16 * MIB, 32 * MIB]], [[]]] },
    )
  })

  it('leave out the parts if these are not requested', async () => {
    const bytes = someBytes(1000)
    const digests = await hashSource(bytesSource(bytes), createSha256, {})
    expect(digests).toEqual({ sha256: sha256(bytes) })
  })

  it('of a spooled stream are known without a second read', async () => {
    const bytes = someBytes(17 * MIB)
    const source = await spool(
      (async function* () {
        yield bytes
      })(),
    )
    const unread = { ...source, open: () => expect.unreachable() }
    const digests = await hashSource(unread, createSha256, {}, true)
    expect(digests).toEqual({ sha256: sha256(bytes), partSha256s: partsOf(bytes) })
    await source.dispose()
  })

  it('are refused if the bytes have changed since the first hash', async () => {
    const source = { ...bytesSource(someBytes(10)), sha256: sha256(someBytes(10)) }
    await expect(hashSource(source, createSha256, {}, true)).rejects.toMatchObject({
      name: 'SourceChangedError',
    })
  })
})
