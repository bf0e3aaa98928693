/**
 * A front of Bucket as the HTTP contract suite sees it: its root, and the known properties of the path to it. The suite needs nothing else
 * of a front, so that it runs on all of them.
 */
import type { TestContext } from 'vitest'
import type { BlobId } from '../../../lib/domain/entry.ts'
import { type HeaderLines, type RawRequest, type RawResponse, sendRaw } from '../../support/raw-http.ts'

/** Properties of a request that may be lost on the way to this target. A test of a lost one would show nothing. */
export type Witness =
  /** Dot segments arrive as they were sent. */
  | 'raw-path'
  /** Empty segments and a slash at the end arrive as they were sent. */
  | 'empty-segment'
  /** `%2F`, double encoding and malformed encoding arrive as they were sent. */
  | 'encoded-path'
  /** Unreserved characters that are percent-encoded arrive as they were sent. */
  | 'unreserved-path'
  /** Header values keep bytes outside ASCII, tabs and double spaces. */
  | 'header-bytes'
  /** A header with an empty value arrives. */
  | 'empty-header'
  /** A header that is sent twice arrives twice, or joined. */
  | 'repeated-header'
  /** A query parameter that is sent twice arrives twice. */
  | 'repeated-query'
  /** A body without `Content-Length`. */
  | 'chunked'
  /** A body that says it is coded with gzip arrives as it was sent. */
  | 'gzip-coding'
  /** A body that says it is coded with aws-chunked arrives as it was sent. */
  | 'aws-chunked-coding'
  /** A body that says it is an HTML form arrives as it was sent. */
  | 'form-body'
  /** A body above the inline limit reaches the front. */
  | 'body-limit'
  /** Requests for which the front itself has no route (`OPTIONS`, unknown methods) reach it. */
  | 'any-method'
  /** Response headers arrive as they were sent. */
  | 'response-headers'
  /** Every header of a 304 arrives. */
  | 'headers-of-304'
  /** Many requests at the same time. */
  | 'concurrency'

export interface Target {
  /** The API root, without a slash at its end: `http://127.0.0.1:9470/v1`. Paths `/v1/…` of the suite are read below it. */
  readonly root: string
  /** `in-process`: web-standard requests; `node-server`: a socket of the Node server; `gateway`: anything in front of Lambda. */
  readonly front: 'in-process' | 'node-server' | 'gateway'
  /** The configured limits of this front, in bytes. */
  readonly maxInlineBytes: number
  readonly maxArtifactBytes: number
  /** The promises that cannot be shown here, with reasons. Each such test is a counted skip. */
  readonly cannotWitness: Readonly<Partial<Record<Witness, string>>>
  /** Sends a request whose path begins with `/v1`. */
  send(request: RawRequest): Promise<RawResponse>
  /**
   * Sends a request to where a redirect, a download resource or an upload points: an absolute URL, or a path on the front.
   * `GET` unless `more` says otherwise; only the given headers are sent.
   */
  follow(url: string, headers?: HeaderLines, more?: Pick<RawRequest, 'method' | 'body'>): Promise<RawResponse>
  /** Removes the blob of a stored version from its store, past Bucket. */
  lose?(blob: BlobId): Promise<void>
  /** Node server: milliseconds without a byte after which a sender has stalled. Give a short one, about 1,000. */
  readonly stallMs?: number
}

/** Whether a front sends the bytes itself or redirects to them. */
export type FetchMode = 'direct' | 'redirect'

export type TargetThunk = () => Target

/** The request target for a path of the suite: `/v1` stands for the root, wherever that is mounted. */
export function pathBelow(root: string, path: string): string {
  const base = new URL(root).pathname.replace(/\/$/, '')
  if (/^\/v1(?=[/?]|$)/.test(path)) return `${base}${path.slice('/v1'.length)}`
  if (base !== '/v1') throw new Error(`${path} is not below the root ${root}`)
  return path
}

/** A target over a socket: the Node server, a gateway, an emulator. */
export function socketTarget(
  options: Omit<Target, 'send' | 'follow'> & { readonly headers?: HeaderLines },
): Target {
  const origin = new URL(options.root)
  const send = (request: RawRequest) =>
    sendRaw(origin, {
      ...request,
      path: pathBelow(options.root, request.path),
      headers: [...(options.headers ?? []), ...(request.headers ?? [])],
    })
  return {
    ...options,
    send,
    follow: (url, headers = [], more = { method: 'GET' }) => {
      if (url.startsWith('/v1/')) return send({ ...more, path: url, headers })
      const absolute = new URL(url, origin)
      return sendRaw(absolute, { ...more, path: `${absolute.pathname}${absolute.search}`, headers })
    },
  }
}

/** Skips a test, counted and with the reason, if the path to the front cannot show its promise. */
export function needs(context: TestContext, target: Target, ...witnesses: readonly Witness[]): void {
  for (const witness of witnesses) {
    const reason = target.cannotWitness[witness]
    if (reason !== undefined) context.skip(`${witness}: ${reason}`)
  }
}
