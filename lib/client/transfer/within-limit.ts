/** The limit of a deployment for one artifact, before bytes are sent. */
import { BucketError } from '../../domain/errors.ts'
import { MIB } from '../../domain/limits.ts'
import type { Service } from '../api/decode.ts'
import { type ByteStream, readStream } from './source.ts'

/** @param size in bytes; undefined for a stream that was not read to its end. */
export const tooLarge = (name: string, size: number | undefined, maxArtifactBytes: number) =>
  new BucketError(
    'artifact_too_large',
    `${name} has ${size ?? `more than ${maxArtifactBytes}`} bytes; this deployment accepts at most ${maxArtifactBytes}`,
    { ...(size !== undefined && { size }), maxArtifactBytes },
    { next: 'Store it as several artifacts, or have the limit of the deployment raised.' },
  )

/** The limit is asked for once a stream has given this many bytes, because few have as many. */
const ASK_AFTER_BYTES = 64 * MIB

/**
 * The chunks of a stream that is about to be spooled: a stream without end would fill the disk.
 *
 * @param service fetches the service document, and caches it.
 * @throws BucketError `artifact_too_large` at the first chunk past the limit; errors of the stream.
 */
export async function* withinLimit(
  stream: ByteStream,
  service: () => Promise<Service>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0
  let askAfter = ASK_AFTER_BYTES
  let limit: number | undefined
  for await (const chunk of readStream(stream, signal)) {
    bytes += chunk.byteLength
    if (limit === undefined && bytes > askAfter) {
      // A stream cannot be read again, so an outage must not end it. The limit is asked for again later, and before the store.
      limit = await service().then(
        ({ limits }) => limits.maxArtifactBytes,
        () => undefined,
      )
      signal?.throwIfAborted()
      askAfter = 2 * bytes
    }
    if (limit !== undefined && bytes > limit) throw tooLarge('the stream', undefined, limit)
    yield chunk
  }
}
