/**
 * One HTTP exchange, as the client needs it: what a platform must offer.
 * A transport never follows a redirect, bounds every wait for the network, and reports an answer that comes while the
 * body is still being sent as that answer.
 */
import type { Source } from '../transfer/source.ts'

export interface Timeouts {
  /** Milliseconds without a byte moving, in either direction, before a connection counts as stalled. */
  readonly idleMs: number
  /** Milliseconds to wait for `100 Continue` before the body is sent all the same (RFC 9110, section 10.1.1). */
  readonly continueMs: number
  /** Milliseconds between two looks at an upload that is being verified, where the server names no time. */
  readonly pollMs: number
  /** Milliseconds without an advance of a verification before it is asked for again. */
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
  /** Called with the number of bytes of the body that have left. */
  readonly onSent?: ((bytes: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly timeouts: Timeouts
}

export interface IncomingResponse {
  readonly status: number
  readonly headers: Headers
  /** The bytes of the body, once; throws `NetworkError` when they stall or break off. */
  readonly body: AsyncIterable<Uint8Array>
  /** Gives up the body. A caller that does not read the body must call this. */
  discard(): void
}

export interface Transport {
  /** False where a redirect cannot be looked at (`fetch` in browsers hides its target). */
  readonly seesRedirects: boolean
  /**
   * @throws NetworkError when no answer came; the reason of `signal` when it was aborted; the error of the body's source.
   */
  send(request: OutgoingRequest): Promise<IncomingResponse>
}

/** The system may still hold this much of a body after its last write, and a line may be this slow to carry it. */
const BUFFERED_BYTES = 4 * 1024 * 1024
const SLOW_BYTES_PER_MS = 32

/** A server gets the last bytes, hashes and syncs before it answers: a second for every 16 MiB, on top of the idle limit. */
export const answerMs = (timeouts: Timeouts, bodyBytes: number): number =>
  timeouts.idleMs +
  Math.min(bodyBytes, BUFFERED_BYTES) / SLOW_BYTES_PER_MS +
  Math.ceil(bodyBytes / (16 * 1024 * 1024)) * 1000

/**
 * How long an answer of JSON may take of which this many bytes have come: beyond the idle limit, no line is slower than
 * `SLOW_BYTES_PER_MS`. Without this a byte now and then would hold its reader for days.
 */
export const jsonMs = (timeouts: Timeouts, bytes: number): number =>
  timeouts.idleMs + bytes / SLOW_BYTES_PER_MS
