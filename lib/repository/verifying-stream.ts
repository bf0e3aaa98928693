/**
 * Hashes bytes on their way to a store. The stream ends normally only if every byte arrived and their SHA-256 is the declared
 * digest. A writer must therefore publish only after the iteration has ended.
 */
import { createHash } from 'node:crypto'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import { DIAGNOSABLE_BYTES, diagnoseMismatch, KeptBody } from './digest-diagnosis.ts'

export interface Declared {
  readonly digest: Digest
  /** Bytes, if the sender announced them. */
  readonly size: number | undefined
  /** Stop at the first byte beyond this and throw `tooLarge()`. */
  readonly maxBytes: number
  readonly tooLarge: () => BucketError
}

/**
 * The stream, and after its normal end the number of bytes that passed.
 * It can be read once: a second reader, such as a retry of a failed write, would see its end at once and mistake zero bytes for
 * all of them.
 */
export interface VerifyingStream extends AsyncIterable<Uint8Array> {
  readonly size: number
}

/**
 * Passes bytes through while hashing them, and compares the digest before the reader sees the end.
 *
 * @throws BucketError (into the reader) `digest_mismatch`; the error of `tooLarge`; `invalid_request` for `size` when another
 * number of bytes arrived than announced; errors of the source.
 */
export function verifyingStream(source: AsyncIterable<Uint8Array>, declared: Declared): VerifyingStream {
  let size = 0
  const kept = new KeptBody()
  if ((declared.size ?? 0) > DIAGNOSABLE_BYTES) kept.release()
  async function* verify() {
    const hash = createHash('sha256')
    for await (const chunk of source) {
      size += chunk.byteLength
      if (size > declared.maxBytes) throw declared.tooLarge()
      kept.keep(chunk)
      hash.update(chunk)
      yield chunk
    }
    if (declared.size !== undefined && size !== declared.size)
      throw BucketError.invalidRequest([
        { name: 'size', detail: `announces ${declared.size} bytes, but ${size} arrived` },
      ])
    const computed = digestFromHex(hash.digest('hex'))
    if (computed === declared.digest) return
    const hint = await diagnoseMismatch(declared.digest, size, kept.bytes)
    throw new BucketError(
      'digest_mismatch',
      `the ${size} bytes that arrived have the digest ${computed}, not the declared ${declared.digest}`,
      {
        declaredDigest: declared.digest,
        computedDigest: computed,
        size,
        ...(hint === undefined ? {} : { hint }),
      },
    )
  }
  async function* verifyAndRelease() {
    try {
      yield* verify()
    } finally {
      kept.release()
    }
  }
  let isRead = false
  return {
    [Symbol.asyncIterator]() {
      if (isRead) throw new Error('a verified stream can be read only once')
      isRead = true
      const bytes = verifyAndRelease()
      return {
        next: () => bytes.next(),
        return() {
          // A generator that waits for a source that hangs does not reach its end.
          kept.release()
          return bytes.return(undefined)
        },
      }
    },
    get size() {
      return size
    },
  }
}
