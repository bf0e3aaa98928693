/**
 * Fetch: the bytes of one reference, hashed as they pass. The stream ends normally only after all bytes arrived and match
 * the digest. The last of them are held back until then, so no reader ever gets a complete wrong artifact.
 */
import { type Digest, digestFromHex } from '../../domain/digest.ts'
import { BucketError } from '../../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { MIB } from '../../domain/limits.ts'
import { anySignal } from '../../flow/abort.ts'
import type { ApiClient } from '../api/api-client.ts'
import { NetworkError } from '../api/network-error.ts'
import { type Opened, openRange } from '../api/open-range.ts'
import { isRetryable, pause, retrying, TransferPatience, type TransferState } from '../api/retry.ts'
import type { OnProgress, TransferOptions } from './progress.ts'

export interface GetOptions extends TransferOptions {
  /** The required digest, `sha256:…`; by default that of the entry. */
  readonly digest?: string | undefined
}

/** The digest and the size of the entry. */
export interface Expected {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

export interface ReadOptions {
  readonly signal: AbortSignal
  /** Whether to accept a response from the first byte and skip up to `start`, if the server ignores ranges. */
  readonly sequential?: boolean
}

export interface Download extends Expected {
  /** The verified bytes, once. Use either this or `read`. */
  readonly bytes: AsyncGenerator<Uint8Array, void>
  /**
   * The bytes from `start` up to, not including, `end`, over as many connections as it takes. They are not verified.
   *
   * @throws RangesIgnoredError when the server sends bytes from the first one on for every range.
   */
  read(start: number, end: number, options: ReadOptions): AsyncGenerator<Uint8Array, void>
  /** Drops the rest of the bytes at once, even before the first read or during a wait. */
  close(): Promise<void>
}

export interface VerifiedStream extends ReadableStream<Uint8Array>, Expected {}

/** This much of the end is yielded only after the digest matched, so smaller artifacts arrive completely or not at all. */
const HELD_BACK_BYTES = MIB

/** This many new bytes count as progress: the count of failures and the time limit start over. */
const PROGRESS_BYTES = 64 * 1024

/** A connection that is slower than this over the idle limit counts as stalled, in bytes per second. */
const FLOOR_BYTES_PER_SECOND = 1024

/** The server, or a proxy in front of it, ignores ranges. */
export class RangesIgnoredError extends Error {
  override readonly name = 'RangesIgnoredError'
}

/**
 * Requests the bytes. Resolves with the first response, or at once if `known` has the digest and size.
 *
 * @throws BucketError `version_not_found`, `digest_differs`; and, out of the stream, `digest_mismatch`.
 */
export async function openDownload(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  { onProgress, signal }: TransferOptions,
  known?: Expected,
): Promise<Download> {
  const closing = new AbortController()
  const stopped = signal ? anySignal(signal, closing.signal) : closing.signal
  let first = known
    ? undefined
    : await retrying(api, stopped, () => openRange(api, ref, expected, 0, undefined, stopped))
  const { digest, size } = known ?? (first as Opened)
  // Bytes of any range show that the server works. From then on a time limit decides, not a number of attempts.
  const transfer: TransferState = { hasMoved: false }

  /** The first response, once, if it begins at `start`. */
  const takeFirst = (start: number): Opened | undefined => {
    const taken = start === 0 ? first : undefined
    first?.response !== taken?.response && first?.response.discard()
    first = undefined
    return taken
  }

  async function* read(start: number, end: number, { signal: stop, sequential }: ReadOptions) {
    const taken = takeFirst(start)
    if (taken) stop.addEventListener('abort', taken.response.discard, { once: true })
    const open = async (at: number) => {
      const to = sequential ? undefined : end
      const opened = await openRange(api, ref, digest, at, to, stop)
      if (opened.from === at || sequential || at > start) return opened
      opened.response.discard()
      throw new RangesIgnoredError()
    }
    yield* resuming(api, taken, { start, end, size }, open, transfer, stop)
  }
  const bytes = verified(
    api,
    ref,
    { digest, size },
    read(0, size, { signal: stopped, sequential: true }),
    onProgress,
  )
  return {
    digest,
    size,
    bytes,
    read,
    async close() {
      // A generator that never started ends without its cleanup, and one that waits ends only after its wait. The abort releases the
      // connection in both cases.
      closing.abort()
      first?.response.discard()
      await bytes.return()
    },
  }
}

interface Range {
  readonly start: number
  readonly end: number
  /** Of the whole artifact. */
  readonly size: number
}

/**
 * The bytes of a range in order, over as many connections as it takes. Bytes after the end of the artifact are passed on, so that the
 * digest check fails.
 */
async function* resuming(
  api: ApiClient,
  first: Opened | undefined,
  { start, end, size }: Range,
  reopen: (at: number) => Promise<Opened>,
  transfer: TransferState,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  let current = first
  let at = start
  const patience = new TransferPatience(api.retry, transfer)
  let progressedTo = start
  while (at < end || (size === 0 && first !== undefined)) {
    try {
      current ??= await reopen(at)
      // A server that ignores the range starts from the first byte: known bytes are skipped.
      let skip = at - current.from
      for await (const chunk of aboveFloor(current.response.body, api.timeouts.idleMs)) {
        const fresh = chunk.subarray(Math.min(skip, chunk.byteLength))
        skip -= chunk.byteLength - fresh.byteLength
        const wanted = end < size ? fresh.subarray(0, end - at) : fresh
        if (wanted.byteLength === 0) continue
        at += wanted.byteLength
        transfer.hasMoved = true
        if (at - progressedTo >= PROGRESS_BYTES) {
          progressedTo = at
          patience.progressed()
        }
        yield wanted
        if (at >= end && end < size) return
      }
      if (at >= end) return
      throw new NetworkError('interrupted', `the connection ended after ${at} of ${end} bytes`)
    } catch (error) {
      // All bytes arrived and only the end of the response was lost, so no further request is needed.
      if (at >= end && isRetryable(error)) return
      const delay = patience.delayAfter(error)
      if (delay === undefined) throw error
      await pause(api, patience.failures + 1, delay, error, signal)
      current = undefined
    }
  }
}

/**
 * Yields the same bytes. The time that the reader takes does not count.
 *
 * @throws NetworkError `stalled` when they arrive more slowly than the floor for `windowMs` of waiting.
 */
async function* aboveFloor(
  source: AsyncIterable<Uint8Array>,
  windowMs: number,
): AsyncGenerator<Uint8Array, void> {
  const chunks = source[Symbol.asyncIterator]()
  const floor = (FLOOR_BYTES_PER_SECOND * windowMs) / 1000
  let waitedMs = 0
  let bytes = 0
  try {
    for (;;) {
      const began = performance.now()
      const next = await chunks.next()
      if (next.done) return
      waitedMs += performance.now() - began
      bytes += next.value.byteLength
      yield next.value
      if (waitedMs < windowMs) continue
      if (bytes < floor)
        throw new NetworkError(
          'stalled',
          `only ${bytes} bytes arrived in ${Math.round(waitedMs / 1000)} seconds`,
        )
      waitedMs = 0
      bytes = 0
    }
  } finally {
    await chunks.return?.()
  }
}

async function* verified(
  { platform }: ApiClient,
  ref: ArtifactRef,
  { digest, size }: Expected,
  source: AsyncIterable<Uint8Array>,
  onProgress: OnProgress | undefined,
): AsyncGenerator<Uint8Array, void> {
  const hash = platform.sha256()
  const held: Uint8Array[] = []
  let heldBytes = 0
  let bytes = 0
  for await (const chunk of source) {
    hash.update(chunk)
    bytes += chunk.byteLength
    if (bytes > size) throw digestMismatch(ref, digest, undefined, `more than its ${size} bytes arrived`)
    onProgress?.({ phase: 'downloading', bytes, total: size })
    held.push(chunk)
    heldBytes += chunk.byteLength
    for (let [oldest] = held; oldest && heldBytes - oldest.byteLength >= HELD_BACK_BYTES; [oldest] = held) {
      held.shift()
      heldBytes -= oldest.byteLength
      yield oldest
    }
  }
  const computed = digestFromHex(hash.hex())
  if (computed !== digest)
    throw digestMismatch(ref, digest, computed, `the bytes that arrived have the digest ${computed}`)
  yield* held
}

/** @param what happened, as the end of a sentence. */
export const digestMismatch = (
  ref: ArtifactRef,
  declared: Digest,
  computed: Digest | undefined,
  what: string,
  next = 'Do not use these bytes. Fetch again; if it fails again, the stored bytes are damaged: tell the operator of this deployment.',
) =>
  new BucketError(
    'digest_mismatch',
    `${formatRef(ref)} should have the digest ${declared}, but ${what}`,
    { declaredDigest: declared, ...(computed && { computedDigest: computed }) },
    { next },
  )

/**
 * A download as a web stream. Nothing is read ahead of its reader; cancelling it closes the download.
 *
 * @returns a stream that fails with the errors of the download, including BucketError `digest_mismatch`.
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
