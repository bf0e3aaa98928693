/**
 * Fetch: the bytes of one reference, hashed as they pass. The stream ends normally only when all of them came and have
 * the digest; the last of them are held back until that is known, so that nobody ever gets a complete wrong artifact.
 */
import { type Digest, digestFromHex } from '../../domain/digest.ts'
import { BucketError } from '../../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { MIB } from '../../domain/limits.ts'
import type { ApiClient } from '../api/api-client.ts'
import { sleep } from '../api/deadline.ts'
import { NetworkError } from '../api/network-error.ts'
import { type Opened, openRange } from '../api/open-range.ts'
import { isRetryable, retryDelay, retrying } from '../api/retry.ts'
import type { Sha256 } from '../platform.ts'
import type { OnProgress } from './progress.ts'

export interface GetOptions {
  /** What the bytes must be, `sha256:…`; without it, what the front says is stored. */
  readonly digest?: string | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Download {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** The verified bytes, once; or else `read`. */
  readonly bytes: AsyncGenerator<Uint8Array, void>
  /**
   * The bytes from `start` up to, not including, `end`, over as many connections as it takes. Nobody has verified them.
   *
   * @throws RangesIgnoredError when the server gives bytes from the first on, whatever is asked.
   */
  read(start: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void>
  /** Gives up the rest of the bytes at once, also when none was read or while some are waited for. */
  close(): Promise<void>
}

/** This much of the end is given out only after the digest was seen to match; smaller artifacts come whole or not at all. */
const HELD_BACK_BYTES = MIB

/** A connection that gave at least this much before it broke counts as progress: the count of failures begins anew. */
const PROGRESS_BYTES = MIB

/**
 * Asks for the bytes and resolves when the first answer is there.
 *
 * @throws BucketError `version_not_found`, `digest_differs`; and, out of the stream, `digest_mismatch`.
 */
export async function openDownload(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  { onProgress, signal }: GetOptions,
): Promise<Download> {
  const closing = new AbortController()
  const stopped = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal
  const open = (pinned: Digest | undefined, start: number, end?: number, stop = stopped) =>
    retrying(api.retry, stop, () => openRange(api, ref, pinned, start, end, stop))
  const first = await open(expected, 0)
  const { digest, size } = first
  const resumed = resuming(api, first, size, (start) => open(digest, start), stopped)
  const bytes = verified(api, ref, first, resumed, onProgress)
  return {
    digest,
    size,
    bytes,
    async *read(start, end, stop) {
      const isFirst = start === 0
      const opened = isFirst ? first : await open(digest, start, end, stop)
      if (opened.from !== start) {
        opened.response.discard()
        throw new RangesIgnoredError()
      }
      if (isFirst) stop.addEventListener('abort', opened.response.discard, { once: true })
      yield* resuming(api, opened, end, (at) => open(digest, at, end, stop), stop)
    },
    async close() {
      // A generator that was never started ends without a look at what it holds, and one that waits (for bytes, for the
      // time to ask again, for another answer) ends only after its wait: both let go of the network by this.
      closing.abort()
      await bytes.return()
    },
  }
}

/** A server, or what stands before it, that knows no ranges. Artifacts come from it in one piece. */
export class RangesIgnoredError extends Error {
  override readonly name = 'RangesIgnoredError'
}

/**
 * All bytes in order from where `first` begins up to, not including, `end`, over as many connections as it takes.
 * What comes behind the end of the artifact is passed on, so that it is noticed.
 */
async function* resuming(
  { retry }: ApiClient,
  first: Opened,
  end: number,
  reopen: (start: number) => Promise<Opened>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  const { size } = first
  let current = first
  let at = first.from
  let failures = 0
  for (;;) {
    const beganAt = at
    // A server that ignores the range begins at the front again: what is known already is skipped.
    let skip = at - current.from
    const chunks = current.response.body[Symbol.asyncIterator]()
    try {
      for (;;) {
        const delay = await advance()
        if (delay === 'ended') return
        if (typeof delay === 'number') {
          await sleep(delay, signal)
          break
        }
        yield delay
        if (at >= end && end < size) return
      }
    } finally {
      await chunks.return?.()
    }
    current = await reopen(at)

    /** The next bytes; or how long to wait before going on over another connection. */
    async function advance(): Promise<Uint8Array | 'ended' | number> {
      for (;;) {
        try {
          const next = await chunks.next()
          if (next.done) {
            if (at >= end) return 'ended'
            throw new NetworkError('interrupted', `the bytes end after ${at} of ${end}`)
          }
          const fresh = next.value.subarray(Math.min(skip, next.value.byteLength))
          skip -= next.value.byteLength - fresh.byteLength
          if (fresh.byteLength === 0) continue
          const wanted = end < size ? fresh.subarray(0, end - at) : fresh
          at += wanted.byteLength
          return wanted
        } catch (error) {
          // All bytes are there, only the word that they are all was lost: there is nothing to ask for.
          if (at >= end && isRetryable(error)) return 'ended'
          failures = at - beganAt >= PROGRESS_BYTES ? 1 : failures + 1
          const delay = retryDelay(retry, failures, error, Math.random())
          if (delay === undefined) throw error
          return delay
        }
      }
    }
  }
}

async function* verified(
  { platform }: ApiClient,
  ref: ArtifactRef,
  { digest, size }: Opened,
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
    if (bytes > size) throw mismatch(ref, digest, undefined, `more than its ${size} bytes came`)
    onProgress?.({ phase: 'downloading', bytes, total: size })
    held.push(chunk)
    heldBytes += chunk.byteLength
    for (let [oldest] = held; oldest && heldBytes - oldest.byteLength >= HELD_BACK_BYTES; [oldest] = held) {
      held.shift()
      heldBytes -= oldest.byteLength
      yield oldest
    }
  }
  assureDigest(ref, digest, hash)
  yield* held
}

/** @throws BucketError `digest_mismatch` unless the bytes that were hashed are those of `digest`. */
export function assureDigest(ref: ArtifactRef, digest: Digest, hash: Sha256): void {
  const computed = digestFromHex(hash.hex())
  if (computed !== digest) throw mismatch(ref, digest, computed, `its bytes have the digest ${computed}`)
}

const mismatch = (ref: ArtifactRef, declared: Digest, computed: Digest | undefined, what: string) =>
  new BucketError(
    'digest_mismatch',
    `${formatRef(ref)} should have the digest ${declared}, but ${what}`,
    { declared_digest: declared, ...(computed && { computed_digest: computed }) },
    {
      next: 'Do not use these bytes. Fetch again; if it stays, the stored bytes are damaged: tell whoever runs this deployment.',
    },
  )

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
