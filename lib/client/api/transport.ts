/**
 * The HTTP transport that a platform must provide. A transport never follows a redirect, bounds every wait for the network, and returns a
 * response that comes while the body is still being sent.
 */
import type { Source } from '../transfer/source.ts'

export interface Timeouts {
  /** Milliseconds without a byte moving, in either direction, before a connection counts as stalled. */
  readonly idleMs: number
  /** Milliseconds to wait for `100 Continue` before the body is sent all the same (RFC 9110, section 10.1.1). */
  readonly continueMs: number
  /** Milliseconds between two polls of an upload that is being verified, if the server names no time. */
  readonly pollMs: number
  /** Milliseconds without progress of a verification before the commit is repeated. */
  readonly verificationIdleMs: number
}

export const DEFAULT_TIMEOUTS: Timeouts = {
  idleMs: 30_000,
  continueMs: 1_000,
  pollMs: 1_000,
  verificationIdleMs: 30_000,
}

export interface OutgoingRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Source | undefined
  /** Called with the number of bytes of the body that were sent. */
  readonly onSent?: ((bytes: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly timeouts: Timeouts
}

export interface IncomingResponse {
  readonly status: number
  readonly headers: Headers
  /** The bytes of the body, once; throws `NetworkError` when they stall or break off. */
  readonly body: AsyncIterable<Uint8Array>
  /** Discards the body. A caller that does not read the body must call this. */
  discard(): void
}

export interface Transport {
  /** False if redirects are hidden, as by `fetch` in browsers. */
  readonly seesRedirects: boolean
  /**
   * @throws NetworkError if no response arrived; the reason of `signal` if it aborted; the error of the body's source.
   */
  send(request: OutgoingRequest): Promise<IncomingResponse>
}

/** The system may still buffer this much of a body after its last write, and a connection may be this slow. */
const BUFFERED_BYTES = 4 * 1024 * 1024
const SLOW_BYTES_PER_MS = 32

/** A server receives the last bytes, hashes and syncs before it responds: one second for every 16 MiB, in addition to the idle limit. */
export const responseMs = (timeouts: Timeouts, bodyBytes: number): number =>
  timeouts.idleMs +
  Math.min(bodyBytes, BUFFERED_BYTES) / SLOW_BYTES_PER_MS +
  Math.ceil(bodyBytes / (16 * 1024 * 1024)) * 1000

/**
 * How long a JSON response may take of which this many bytes have arrived: beyond the idle limit, no connection is slower than
 * `SLOW_BYTES_PER_MS`. Without this bound, an occasional byte could hold the reader for days.
 */
export const jsonMs = (timeouts: Timeouts, bytes: number): number =>
  timeouts.idleMs + bytes / SLOW_BYTES_PER_MS
