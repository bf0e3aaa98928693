/**
 * A stream of bytes that its reader may also have poured into it: the chunks then share a few buffers that are used again, so that
 * passing a large file makes no garbage. An iteration gives every chunk memory of its own, and is safe for any reader.
 */
export interface Pourable extends AsyncIterable<Uint8Array> {
  /**
   * Writes all bytes, one chunk after the other. A stream is poured or iterated once.
   *
   * @param write resolves when it needs the chunk no more: its memory is then overwritten.
   * @throws errors of the source and of `write`.
   */
  pour(write: (chunk: Uint8Array) => Promise<void>): Promise<void>
}

export const isPourable = (stream: AsyncIterable<Uint8Array>): stream is Pourable => 'pour' in stream

/**
 * Passes every chunk of a stream to `write`, one after the other.
 *
 * @param write may use the memory of its chunk until it resolves.
 */
export async function pour(
  stream: AsyncIterable<Uint8Array>,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  if (isPourable(stream)) return stream.pour(write)
  for await (const chunk of stream) await write(chunk)
}
