/** A download as a web stream: it ends only when the digest matched, and fails otherwise. */
import type { Digest } from '../domain/digest.ts'
import type { Download } from './download.ts'

export interface VerifiedStream extends ReadableStream<Uint8Array> {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

/**
 * Nothing is read ahead of its reader; cancelling it closes the download.
 *
 * @returns a stream that fails with what the download throws, BucketError `digest_mismatch` among it.
 */
export function verifiedStream({ bytes, digest, size, close }: Download): VerifiedStream {
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await bytes.next()
        if (next.done) controller.close()
        else controller.enqueue(next.value)
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  )
  return Object.assign(stream, { digest, size })
}
