/**
 * The common causes of a digest mismatch, each tried on the received bytes. A hint helps the reader; it is never a reason to
 * accept the bytes.
 */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type Digest, digestFromHex, EMPTY_DIGEST } from '../domain/digest.ts'
import { MIB } from '../domain/limits.ts'

/** Only bodies up to this many bytes are looked into (docs/http-api.md, section 8). */
export const DIAGNOSABLE_BYTES = 4 * MIB
/** A body that grows beyond this when gunzipped is not looked into: no memory is spent on a bomb. */
const GUNZIPPED_BYTES = 64 * MIB

const sha256 = (...parts: Uint8Array[]): Digest => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return digestFromHex(hash.digest('hex'))
}

const newline = Buffer.from('\n')

/**
 * @param body the whole body, if it was small enough to keep.
 * @returns one sentence on the likely cause, or undefined without one.
 */
export async function diagnoseMismatch(
  declared: Digest,
  size: number,
  body: Uint8Array | undefined,
): Promise<string | undefined> {
  if (declared === EMPTY_DIGEST)
    return 'the declared digest is that of zero bytes: it was computed over an empty file or a stream already read'
  if (body === undefined) return undefined
  if (size === 0) return 'no bytes arrived: the body of the request is empty'
  if (sha256(body, newline) === declared)
    return 'the declared digest is that of these bytes with a newline at their end: the newline was lost (curl -d @file strips it; use --data-binary or -T)'
  if (body.at(-1) === newline[0] && sha256(body.subarray(0, -1)) === declared)
    return 'the declared digest is that of these bytes without their last newline: it was computed over other bytes than were sent (echo adds a newline, printf does not)'
  if (body[0] === 0x1f && body[1] === 0x8b) {
    const plain = await promisify(gunzip)(body, { maxOutputLength: GUNZIPPED_BYTES }).catch(() => undefined)
    if (plain && sha256(plain) === declared)
      return 'the declared digest is that of the gunzipped bytes: compute it over the compressed bytes, or send them uncompressed'
  }
  return undefined
}
