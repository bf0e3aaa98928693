/**
 * The heart of Bucket: bytes on their way to a store, hashed as they pass.
 * The stream ends normally only when every byte arrived and their SHA-256 is the declared digest; whoever writes them
 * therefore publishes nothing unless the iteration came to its end.
 */
import { createHash } from 'node:crypto'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import { DIAGNOSABLE_BYTES, diagnoseMismatch } from './digest-diagnosis.ts'

export interface Declared {
  readonly digest: Digest
  /** Bytes that the sender announced, if it did. */
  readonly size: number | undefined
  /** Stop at the first byte beyond this and throw `tooLarge()`. */
  readonly maxBytes: number
  readonly tooLarge: () => BucketError
}

/**
 * The stream, and after its normal end the number of bytes that passed.
 * It can be read once: a second reader, such as a retry of a write that broke, would find it at its end at once, and take
 * nothing for all of the bytes.
 */
export interface VerifiedStream extends AsyncIterable<Uint8Array> {
  readonly size: number
}

/**
 * Passes bytes through while hashing them; at the end compares before it lets the reader see the end.
 *
 * @throws BucketError (into the reader) `digest_mismatch`, or what `tooLarge` makes, or `invalid_request` when fewer or more bytes
 * came than announced; and whatever the source throws.
 */
export function verifiedStream(source: AsyncIterable<Uint8Array>, declared: Declared): VerifiedStream {
  let size = 0
  async function* verify() {
    const hash = createHash('sha256')
    // Small bodies are kept until the end: only with them at hand can a mismatch be explained.
    let kept: Uint8Array[] | undefined = (declared.size ?? 0) <= DIAGNOSABLE_BYTES ? [] : undefined
    for await (const chunk of source) {
      size += chunk.byteLength
      if (size > declared.maxBytes) throw declared.tooLarge()
      if (size > DIAGNOSABLE_BYTES) kept = undefined
      kept?.push(chunk)
      hash.update(chunk)
      yield chunk
    }
    if (declared.size !== undefined && size !== declared.size)
      throw BucketError.invalidRequest([
        {
          in: 'header',
          name: 'Content-Length',
          detail: `announces ${declared.size} bytes, but ${size} arrived`,
        },
      ])
    const computed = digestFromHex(hash.digest('hex'))
    if (computed === declared.digest) return
    const hint = await diagnoseMismatch(declared.digest, size, kept && Buffer.concat(kept))
    throw new BucketError(
      'digest_mismatch',
      `the ${size} bytes that arrived have the digest ${computed}, not the declared ${declared.digest}`,
      {
        declared_digest: declared.digest,
        computed_digest: computed,
        size,
        ...(hint === undefined ? {} : { hint }),
      },
    )
  }
  let bytes: AsyncGenerator<Uint8Array> | undefined
  return {
    [Symbol.asyncIterator]() {
      if (bytes) throw new Error('a verified stream is read a second time')
      bytes = verify()
      return bytes
    },
    get size() {
      return size
    },
  }
}
