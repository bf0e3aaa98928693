/**
 * A missing response, or one that is not from Bucket: every failure that is not a `BucketError`. Messages name an origin and a path, never
 * a query: presigned queries are secrets.
 */

/**
 * - `unreachable`: no connection (refused, unknown name, TLS).
 * - `interrupted`: the connection broke before the exchange was complete.
 * - `stalled`: no byte moved for longer than the client waits.
 * - `unexpected_response`: something answered, but not as Bucket does; repeating will not help.
 */
export type NetworkErrorKind = 'unreachable' | 'interrupted' | 'stalled' | 'unexpected_response'

const NEXT: { readonly [K in NetworkErrorKind]: string } = {
  unreachable: 'Check the address, and that the server is running and reachable from here.',
  interrupted: 'Try again: every request is safe to repeat.',
  stalled: 'Try again later. If it fails again, look at the server and the network between.',
  unexpected_response:
    'Check that the address is the root of a Bucket API (…/v1), and which proxy is in front of it.',
}

export interface NetworkErrorOptions {
  readonly next?: string
  /** The status of an unexpected response. */
  readonly status?: number
  readonly cause?: unknown
}

/** Thrown if no response of Bucket arrived. A retry may help for all kinds except `unexpected_response`. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
  readonly kind: NetworkErrorKind
  readonly next: string
  readonly status: number | undefined

  constructor(kind: NetworkErrorKind, message: string, options: NetworkErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.kind = kind
    this.next = options.next ?? NEXT[kind]
    this.status = options.status
  }

  get retryable(): boolean {
    return this.kind !== 'unexpected_response'
  }
}

/** A URL as it may be shown: without its query. */
export const shownUrl = (url: URL): string => `${url.origin}${url.pathname}`
