/**
 * The body of a Node request as an async iterable that never hangs and never hides a broken connection.
 * Unlike the stream's own iterator, it keeps the socket open when its reader stops early, so that a refusal can still be sent.
 */
import type { IncomingMessage } from 'node:http'
import { BucketError } from '../../domain/errors.ts'

/**
 * @param idleMs how long to wait for the next byte, in milliseconds; a body that makes progress may take as long as it needs.
 * @throws BucketError (into the reader) `request_timeout` when the sender stalls; the stream's error when the connection breaks.
 */
export async function* requestBody(incoming: IncomingMessage, idleMs: number): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk: Buffer | null = incoming.read()
    if (chunk !== null) {
      yield chunk
      continue
    }
    if (incoming.readableEnded) return
    if (incoming.errored) throw incoming.errored
    if (incoming.destroyed) throw new Error('the connection broke before the body was complete')
    await nextEvent(incoming, idleMs)
  }
}

function nextEvent(incoming: IncomingMessage, idleMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      clearTimeout(timer)
      incoming
        .off('readable', onProgress)
        .off('end', onProgress)
        .off('close', onProgress)
        .off('error', settle)
      if (error) reject(error)
      else resolve()
    }
    const onProgress = () => settle()
    const timer = setTimeout(
      () =>
        settle(new BucketError('request_timeout', `no byte of the body arrived for ${idleMs / 1000} s`, {})),
      idleMs,
    )
    incoming.on('readable', onProgress).on('end', onProgress).on('close', onProgress).on('error', settle)
  })
}
