/** Sizes and times of the contract, and the arithmetic of parts. Bytes and seconds throughout. */

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

/** The largest artifact unless a deployment says otherwise. */
export const DEFAULT_MAX_ARTIFACT_BYTES = 5 * GIB

/**
 * The slowest body that a local server accepts: at least so many bytes per second, on average over each grace period. At a lower rate
 * our own clients end a fetch, too. It is far below that of any connection over which artifacts are transferred.
 */
export const DEFAULT_BODY_PACE = { bytesPerSecond: KIB, graceMs: 60_000 }
/** The connections that a local server serves at the same time. */
export const DEFAULT_MAX_CONNECTIONS = 1024
/**
 * The largest artifact that a deployment may allow. The verifier of uploads is a Lambda function, which runs for 15 minutes at most, and
 * reads every byte once. One minute is reserved for the start, the last copies and a clean end. In the other 14 it reads 41 GiB at 50
 * MiB/s, about half of the rate that concurrent ranges reach in a function of this memory.
 *
 * @see docs/deployment.md, Settings
 */
export const DEPLOYED_MAX_ARTIFACT_BYTES = 40 * GIB
/** The largest body of one request behind API Gateway and Lambda: base64 in an event of 6,291,556 bytes. */
export const LAMBDA_MAX_INLINE_BYTES = 4 * MIB
/** The largest body of one S3 PUT, and so of an upload in single mode. */
export const MAX_SINGLE_BYTES = 5 * GIB
/** Above this size the service chooses multipart if the uploader names no mode. */
export const SINGLE_BY_DEFAULT_BYTES = 64 * MIB

/** An upload expires this long after it began; commit extends it. */
export const UPLOAD_SECONDS = 7 * 24 * 3600
/** A presigned request lives at most this long (the role session that signed it may end earlier). */
export const PRESIGNED_SECONDS = 3600
/** Part numbers in one request for parts, and in `missing`. */
export const MAX_PARTS_PER_REQUEST = 100

export const DEFAULT_PAGE_LIMIT = 100
export const MAX_PAGE_LIMIT = 1000

export type UploadMode = 'single' | 'multipart'

/**
 * The size of every part but the last: `max(16 MiB, ceil(size / 9000))` rounded up to a MiB, so that S3's 10,000 parts are never exceeded.
 *
 * @param size of the artifact in bytes.
 * @see docs/http-api.md, section 7
 */
export const partSize = (size: number): number =>
  Math.ceil(Math.max(16 * MIB, Math.ceil(size / 9000)) / MIB) * MIB

/** How many parts an artifact of `size` bytes has (at least one, for one byte or more). */
export const partCount = (size: number): number => Math.ceil(size / partSize(size))

/** The size of part `number` (from 1) in bytes; the last part is the rest. */
export function sizeOfPart(size: number, number: number): number {
  const full = partSize(size)
  return Math.min(full, size - (number - 1) * full)
}

/** The mode that the service chooses if the uploader names none. */
export const defaultMode = (size: number): UploadMode =>
  size <= SINGLE_BY_DEFAULT_BYTES ? 'single' : 'multipart'
