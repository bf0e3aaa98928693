/**
 * The common causes of a digest mismatch, each tried on the received bytes. A hint helps the reader; it is never a reason to
 * accept the bytes. All hints of a process together use bounded memory: where it is spent, an error has no hint.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type Digest, digestFromHex, EMPTY_DIGEST } from '../domain/digest.ts'
import { MIB } from '../domain/limits.ts'
import { Pieces } from '../flow/pieces.ts'

/** Only bodies up to this many bytes are examined (docs/http-api.md, section 8). */
export const DIAGNOSABLE_BYTES = 4 * MIB
/** The bytes that all requests together may keep for a hint. */
export const KEPT_BYTES = 32 * MIB
/** A body that grows beyond this when gunzipped is not examined further. */
const GUNZIPPED_BYTES = 64 * MIB
/** Bodies that are gunzipped at the same time. */
const GUNZIPS = 1

let keptBytes = 0
let gunzips = 0

/** The bytes of one body, kept for `diagnoseMismatch` while that is possible. `release` frees them. */
export class KeptBody {
  #pieces: Pieces | undefined = new Pieces()

  keep(chunk: Uint8Array): void {
    if (this.#pieces === undefined) return
    const isTooMuch = this.#pieces.size + chunk.byteLength > DIAGNOSABLE_BYTES
    if (isTooMuch || keptBytes + chunk.byteLength > KEPT_BYTES) {
      this.release()
      return
    }
    this.#pieces.add(chunk)
    keptBytes += chunk.byteLength
  }

  /** The whole body, or undefined if it was too large to keep. */
  get bytes(): Uint8Array | undefined {
    return this.#pieces?.whole()
  }

  release(): void {
    keptBytes -= this.#pieces?.size ?? 0
    this.#pieces = undefined
  }
}

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
  if (size === 0) return 'no bytes arrived'
  if (sha256(body, newline) === declared)
    return 'the declared digest is that of these bytes with a newline at their end: the newline was lost'
  if (body.at(-1) === newline[0] && sha256(body.subarray(0, -1)) === declared)
    return 'the declared digest is that of these bytes without their last newline: it was computed over other bytes than were sent'
  if (body[0] === 0x1f && body[1] === 0x8b && (await digestOfGunzipped(body)) === declared)
    return 'the declared digest is that of the gunzipped bytes: compute it over the compressed bytes, or send them uncompressed'
  return undefined
}

/** @returns undefined if `body` is not a whole gzip, is a bomb, or if others are being gunzipped. */
async function digestOfGunzipped(body: Uint8Array): Promise<Digest | undefined> {
  if (gunzips >= GUNZIPS) return undefined
  gunzips += 1
  const hash = createHash('sha256')
  let size = 0
  try {
    for await (const chunk of Readable.from([body]).pipe(createGunzip())) {
      size += chunk.byteLength
      if (size > GUNZIPPED_BYTES) return undefined
      hash.update(chunk)
    }
    return digestFromHex(hash.digest('hex'))
  } catch {
    return undefined // damaged, or not gzip
  } finally {
    gunzips -= 1
  }
}
