/**
 * All bytes of one S3 object, in order and as one version of it, faster than over one connection: several ranges are in flight at once.
 * Memory is bounded by `RANGE_BYTES * RANGES_AT_ONCE` and the range that is being read. A range is fetched completely before it is passed
 * on, so a slow reader never stalls a connection, and a broken range is fetched again.
 */
import { Readable } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { MIB } from '../domain/limits.ts'
import { anySignal } from '../flow/abort.ts'
import { abortableIterable } from '../flow/abortable-iterable.ts'
import { fullJitter, retry } from '../flow/retry.ts'
import { isMissing, isNameTaken } from './s3-errors.ts'
import { failed } from './sdk-failure.ts'

export const RANGE_BYTES = 8 * MIB
export const RANGES_AT_ONCE = 4
/** The SDK retries until a response begins; this module retries a body that breaks off. */
const TRIES = 4
const PAUSE_MS = 400
/** The limit of one attempt for one range, from the request to its last byte. Below 280 KB/s it counts as hung. */
const TRY_MS = 30_000

/** One version of an S3 object. */
export interface PinnedObject {
  readonly client: S3Client
  readonly bucket: string
  readonly key: string
  readonly etag: string
  /** Bytes. */
  readonly size: number
}

/** @throws BucketError `unavailable` if the object changes, disappears, or keeps failing; the reason of the signal. */
export async function* readRanges(
  object: PinnedObject,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const given = new AbortController()
  const ending = signal ? anySignal(signal, given.signal) : given.signal
  const underWay: Promise<Uint8Array>[] = []
  let next = 0
  const start = () => {
    if (next >= object.size) return
    const range = fetchRange(object, next, Math.min(next + RANGE_BYTES, object.size) - 1, ending)
    // Handled where it is awaited. A failure during the read of an earlier range must not end the process.
    range.catch(() => {})
    underWay.push(range)
    next += RANGE_BYTES
  }
  for (let at = 0; at < RANGES_AT_ONCE; at += 1) start()
  try {
    for (let range = underWay.shift(); range; range = underWay.shift()) {
      const bytes = await range
      start()
      yield bytes
    }
  } finally {
    // A reader that stops early leaves no requests in flight.
    given.abort()
  }
}

async function fetchRange(
  object: PinnedObject,
  first: number,
  last: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const attempt = () => fetchOnce(object, first, last, anySignal(signal, AbortSignal.timeout(TRY_MS)))
  const delayAfter = (error: unknown, failures: number) => {
    const isOver = signal.aborted || isNameTaken(error) || isMissing(error)
    return isOver || failures === TRIES ? undefined : fullJitter(PAUSE_MS, failures)
  }
  return retry(attempt, delayAfter, signal).catch(failed('the staged bytes could not be read', signal))
}

/** 412 if the object is no longer the pinned one. */
async function fetchOnce(
  { client, bucket, key, etag }: PinnedObject,
  first: number,
  last: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const command = new GetObjectCommand({
    Bucket: bucket,
    Key: key,
    Range: `bytes=${first}-${last}`,
    IfMatch: etag,
  })
  const { Body } = await client.send(command, { abortSignal: signal })
  if (!(Body instanceof Readable)) throw new Error('the SDK gave no readable stream')
  const size = last - first + 1
  const bytes = Buffer.allocUnsafeSlow(size)
  let filled = 0
  for await (const chunk of abortableIterable(Body, signal)) {
    if (filled + chunk.byteLength > size) throw new Error('a range has more bytes than requested')
    bytes.set(chunk, filled)
    filled += chunk.byteLength
  }
  if (filled !== size) throw new Error(`a range of ${size} bytes ended after ${filled}`)
  return bytes
}
