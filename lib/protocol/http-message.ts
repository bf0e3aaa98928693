/**
 * One request and one response, whatever front they came through: the Node server, a Lambda event, a web-standard
 * `Request`; the API and the local blob endpoint both answer them. The target stays raw, because a URL parser would resolve dot segments before anyone could refuse them.
 */

/** Header look-up without case; a web `Headers` is one. */
export interface HeaderReader {
  get(name: string): string | null
}

export interface HttpRequest {
  readonly method: string
  /** Path and query exactly as they were received, not decoded. */
  readonly target: string
  readonly headers: HeaderReader
  /** Bytes of the body where they are known before it is read; 0 when there is none. */
  readonly size: number | undefined
  /** Asks for the body; a front may only now tell the sender to go on (`100-continue`). Called at most once. */
  readonly body: () => AsyncIterable<Uint8Array>
  readonly requestId: string
  /** Scheme and authority that the client used, for URLs that must be absolute. */
  readonly origin: string
  readonly signal?: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string | AsyncIterable<Uint8Array> | null
}
