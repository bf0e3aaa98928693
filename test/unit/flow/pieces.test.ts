/** Collected bytes are the bytes that came, and take little more memory than that for any sizes of the chunks. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Allowance } from '../../../lib/flow/allowance.ts'
import { Pieces } from '../../../lib/flow/pieces.ts'

const chunks = fc.array(
  fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 8000, maxLength: 9000 })),
)
const joined = (parts: readonly Uint8Array[]) => Buffer.concat(parts)

describe('Pieces', () => {
  it('have the bytes of all chunks in order, taken as a whole or piece by piece', () => {
    fc.assert(
      fc.property(chunks, chunks, (first, second) => {
        const pieces = new Pieces()
        for (const chunk of first) pieces.add(chunk)
        expect(pieces.size).toBe(joined(first).byteLength)
        expect(joined([pieces.whole()])).toEqual(joined(first))
        for (const chunk of second) pieces.add(chunk)
        expect(joined(pieces.take())).toEqual(joined([...first, ...second]))
        expect([pieces.size, pieces.take()]).toEqual([0, []])
      }),
      { numRuns: 50 },
    )
  })

  it('take at most three times the memory of their bytes when each chunk is one byte', () => {
    const pieces = new Pieces()
    for (let at = 0; at < 300_000; at += 1) pieces.add(new Uint8Array(1))
    const buffers = new Set(pieces.take().map(({ buffer }) => buffer))
    const bytes = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)
    expect(bytes).toBeLessThan(3 * 300_000)
    expect(buffers.size).toBeLessThan(20)
  })
})

describe('an allowance', () => {
  it('gives each stream much while little is held, and little beyond that', () => {
    const memory = new Allowance({ total: 100, most: 50, least: 5 })
    expect(memory.share).toBe(50)
    memory.take(100)
    expect(memory.share).toBe(5)
    memory.give(1)
    expect([memory.share, memory.held]).toEqual([50, 99])
  })
})
