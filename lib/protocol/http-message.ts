/**
 * One request and one response, independent of the front: the Node server or a Lambda event. The API and the local blob endpoint
 * both handle them. The target stays raw, because a URL parser would resolve dot segments before the rules could refuse them.
 */

/** Case-insensitive header lookup, such as a web `Headers`. */
export interface HeaderReader {
  get(name: string): string | null
}

export interface HttpRequest {
  readonly method: string
  /** Path and query exactly as they were received, not decoded. */
  readonly target: string
  readonly headers: HeaderReader
  /** Bytes of the body, if known before it is read; 0 if there is none. */
  readonly size: number | undefined
  /** Requests the body; only then does a front send `100 Continue`. Called at most once. */
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
