/** Batches have the same bytes in the same order, in bounded memory, for any sizes of the sender's chunks. */
import { describe, expect, it } from 'vitest'
import { BATCH_BYTES, batches } from '../../../lib/local/batches.ts'
import { inChunks, someBytes } from '../../support/fake-artifacts.ts'

const bytes = someBytes(1_500_000)

describe('batches', () => {
  it.each([
    ['one byte at a time', [1]],
    ['tiny and large in turn', [1, 8192]],
    ['tiny ones between large ones', [3, 5, 100_000, 1, 1, 65_536]],
    ['everything at once', [bytes.byteLength]],
    ['empty chunks among them', [0, 1000, 0, 0, 9000]],
  ])('hold few chunks and little more than a batch: %s', async (_, sizes) => {
    const largest = Math.max(...sizes)
    const all: Uint8Array[] = []
    for await (const pieces of batches(inChunks(bytes, ...sizes), undefined)) {
      const memory = new Set(
        pieces.filter((piece) => piece.buffer !== bytes.buffer).map(({ buffer }) => buffer),
      )
      expect(pieces.length).toBeLessThanOrEqual(140)
      expect([...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThanOrEqual(
        BATCH_BYTES + 2 * 65_536, // a block that began in the batch before, and one that ends in the next
      )
      expect(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(BATCH_BYTES + largest)
      all.push(...pieces.map((piece) => piece.slice()))
    }
    expect(Buffer.compare(Buffer.concat(all), bytes)).toBe(0)
  })
})
