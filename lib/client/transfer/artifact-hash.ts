/**
 * The digests of an artifact from one reading: of the whole, and of each part that an upload would have. Of a part only
 * its SHA-256 is kept, so that the second reading has nothing to do but send.
 */
import { partSize, SINGLE_BY_DEFAULT_BYTES } from '../../domain/limits.ts'
import type { Sha256 } from '../platform.ts'
import type { TransferOptions } from './progress.ts'
import { exactLength, type Source, SourceChangedError } from './source.ts'

export interface ArtifactDigests {
  /** 64 hex digits. */
  readonly sha256: string
  /** The same of each part in order; absent if they are not needed. */
  readonly partSha256s?: readonly string[]
}

/** Hashes bytes as they pass. `digests` ends it; it cannot be reused. */
export class ArtifactHash {
  readonly #sha256: () => Sha256
  readonly #whole: Sha256
  readonly #partSize: number
  readonly #parts: string[] = []
  #part: Sha256
  #inPart = 0
  #size = 0

  /** @param partSize in bytes; `Infinity` to hash the whole only. */
  constructor(sha256: () => Sha256, partSize: number) {
    this.#sha256 = sha256
    this.#whole = sha256()
    this.#part = sha256()
    this.#partSize = partSize
  }

  update(chunk: Uint8Array): void {
    this.#whole.update(chunk)
    this.#size += chunk.byteLength
    if (this.#partSize === Number.POSITIVE_INFINITY) return
    for (let at = 0; at < chunk.byteLength; ) {
      const piece = chunk.subarray(at, at + this.#partSize - this.#inPart)
      this.#part.update(piece)
      at += piece.byteLength
      this.#inPart += piece.byteLength
      if (this.#inPart === this.#partSize) this.#endPart()
    }
  }

  /** Ends the computation. Parts are omitted if an upload of this many bytes has another part size. */
  digests(): ArtifactDigests {
    if (this.#inPart > 0) this.#endPart()
    const isOfUse = this.#partSize === partSize(this.#size)
    return { sha256: this.#whole.hex(), ...(isOfUse && { partSha256s: this.#parts }) }
  }

  #endPart(): void {
    this.#parts.push(this.#part.hex())
    this.#part = this.#sha256()
    this.#inPart = 0
  }
}

/** Whether an artifact of this many bytes is likely to be sent in parts. */
const isInParts = (size: number): boolean => size > SINGLE_BY_DEFAULT_BYTES

/**
 * The digests of a source: the known ones, otherwise computed by reading all of it.
 *
 * @param withParts whether the digests of parts are needed.
 * @throws SourceChangedError if the bytes have changed since the source was made, or differ in number from its size.
 */
export async function hashSource(
  source: Source,
  sha256: () => Sha256,
  { onProgress, signal }: TransferOptions,
  withParts = isInParts(source.size),
): Promise<ArtifactDigests> {
  if (source.sha256 !== undefined && (source.partSha256s !== undefined || !withParts))
    return {
      sha256: source.sha256,
      ...(source.partSha256s !== undefined && { partSha256s: source.partSha256s }),
    }
  const hash = new ArtifactHash(sha256, withParts ? partSize(source.size) : Number.POSITIVE_INFINITY)
  let bytes = 0
  for await (const chunk of exactLength(source)) {
    signal?.throwIfAborted()
    hash.update(chunk)
    bytes += chunk.byteLength
    onProgress?.({ phase: 'hashing', bytes, total: source.size })
  }
  const digests = hash.digests()
  if (source.sha256 !== undefined && source.sha256 !== digests.sha256)
    throw new SourceChangedError('the bytes changed after they were hashed')
  return digests
}
