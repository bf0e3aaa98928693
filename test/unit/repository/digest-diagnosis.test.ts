/** Each likely cause of a mismatch is recognized, without false alarms, in bounded memory. */
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Digest, EMPTY_DIGEST } from '../../../lib/domain/digest.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import {
  DIAGNOSABLE_BYTES,
  diagnoseMismatch,
  KEPT_BYTES,
  KeptBody,
} from '../../../lib/repository/digest-diagnosis.ts'
import { digestOf, someBytes } from '../../support/fake-artifacts.ts'

const text = (value: string) => Buffer.from(value)
const diagnosed = (declared: Digest, body: Uint8Array) => diagnoseMismatch(declared, body.byteLength, body)

describe('the hint for', () => {
  it.each([
    ['the digest of nothing', EMPTY_DIGEST, text('x'), 'that of zero bytes'],
    ['an empty body', digestOf(text('x')), text(''), 'no bytes arrived'],
    ['a newline that was lost', digestOf(text('x\n')), text('x'), 'with a newline at their end'],
    ['a newline that was added', digestOf(text('x')), text('x\n'), 'without their last newline'],
    ['a body that is only a newline', digestOf(text('')), text('\n'), 'that of zero bytes'],
    ['a body that was gzipped', digestOf(text('x')), gzipSync(text('x')), 'that of the gunzipped bytes'],
  ])('%s is told', async (_, declared, body, hint) => {
    expect(await diagnosed(declared, body)).toContain(hint)
  })

  it('the digest of zero bytes is given even for a body that was too large to keep', async () => {
    expect(await diagnoseMismatch(EMPTY_DIGEST, 5 * MIB, undefined)).toContain('that of zero bytes')
  })

  it.each([
    ['other bytes', digestOf(text('y')), text('x')],
    ['two newlines too many', digestOf(text('x')), text('x\n\n')],
    ['a carriage return', digestOf(text('x')), text('x\r\n')],
    ['other gzipped bytes', digestOf(text('y')), gzipSync(text('x'))],
    ['what only begins like gzip', digestOf(text('x')), Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3])],
    ['a gzip that is cut off', digestOf(text('x')), gzipSync(text('x')).subarray(0, 12)],
  ])('%s gives no hint', async (_, declared, body) => {
    expect(await diagnosed(declared, body)).toBeUndefined()
  })

  it('a body that was too large to keep gets no other hint', async () => {
    expect(await diagnoseMismatch(digestOf(text('x')), DIAGNOSABLE_BYTES + 1, undefined)).toBeUndefined()
  })
})

describe('a gzip bomb', () => {
  const zeros = (bytes: number) => Buffer.alloc(bytes)

  it('is unzipped up to 64 MiB', async () => {
    const body = gzipSync(zeros(64 * MIB))
    expect(await diagnosed(digestOf(zeros(64 * MIB)), body)).toContain('gunzipped')
  })

  it('is unzipped no further', async () => {
    const body = gzipSync(zeros(64 * MIB + 1))
    expect(body.byteLength).toBeLessThan(DIAGNOSABLE_BYTES)
    expect(await diagnosed(digestOf(zeros(64 * MIB + 1)), body)).toBeUndefined()
  })

  it('below that limit costs no more if its content is random', async () => {
    const body = gzipSync(someBytes(MIB))
    expect(await diagnosed(digestOf(someBytes(MIB)), body)).toContain('gunzipped')
  })

  it('is examined one at a time: the others get no hint', async () => {
    const plain = zeros(8 * MIB)
    const body = gzipSync(plain)
    const hints = await Promise.all(Array.from({ length: 24 }, () => diagnosed(digestOf(plain), body)))
    expect(hints.filter((hint) => hint !== undefined)).toHaveLength(1)
    expect(await diagnosed(digestOf(plain), body)).toContain('gunzipped')
  })
})

describe('bodies kept for a diagnosis', () => {
  const keeping = () => {
    const body = new KeptBody()
    for (let size = 0; size < DIAGNOSABLE_BYTES; size += MIB) body.keep(new Uint8Array(MIB))
    return body
  }

  it('use no more memory than the limit of one body', () => {
    const body = keeping()
    expect(body.bytes?.byteLength).toBe(DIAGNOSABLE_BYTES)
    body.keep(new Uint8Array(1))
    expect(body.bytes).toBeUndefined()
  })

  it('use no more memory together than the limit of the process, and release it', () => {
    const bodies = Array.from({ length: 200 }, keeping)
    const held = bodies.filter(({ bytes }) => bytes !== undefined)
    expect(held).toHaveLength(KEPT_BYTES / DIAGNOSABLE_BYTES)
    for (const body of bodies) body.release()
    const next = keeping()
    expect(next.bytes?.byteLength).toBe(DIAGNOSABLE_BYTES)
    next.release()
  })
})
