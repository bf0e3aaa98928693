/**
 * The types of handlers, derived from the routes: a handler gets the checked inputs of its route as domain values, and returns
 * a status of its route with the domain value and the headers that the route promises for it. A handler that is missing, or
 * that forgets a promised header, does not compile.
 */
import type { Description } from '../domain/description.ts'
import type { Digest } from '../domain/digest.ts'
import type { ArtifactKey, ArtifactRef, Version } from '../domain/identifiers.ts'
import type { UploadId } from '../domain/upload.ts'
import type { HeaderInput, QueryName } from '../protocol/inputs.ts'
import type { MessageValues } from '../protocol/messages.ts'
import type { RESPONSE_HEADERS } from '../protocol/response-headers.ts'
import type { Content, RouteName, Routes } from '../protocol/routes.ts'
import type { Preconditions } from './preconditions.ts'
import type { RequestContext } from './request-context.ts'

/** The value of every query parameter; `undefined` where the request has none. */
export interface QueryValues {
  digest: Digest | undefined
  limit: number
  cursor: Version | undefined
}

/** The value of every group of request headers. */
export interface HeaderValues {
  declaredDigest: Digest
  description: Description
  onlyIfAbsent: boolean
  conditions: Preconditions
  range: RangeFields
}

/** The two fields that request a part of the bytes, unparsed. */
export interface RangeFields {
  readonly range: string | null
  readonly ifRange: string | null
}

/** The body of a request that carries an artifact. */
export interface IncomingBytes {
  /** Bytes, if the sender announced them. */
  readonly size: number | undefined
  /** Requests the bytes; called at most once. */
  readonly bytes: () => AsyncIterable<Uint8Array>
}

type SubjectOf<Path extends string> = Path extends `${string}{digest}${string}`
  ? { readonly id: UploadId }
  : Path extends `${string}{version}${string}`
    ? { readonly ref: ArtifactRef }
    : Path extends `${string}{artifact_id}${string}`
      ? { readonly key: ArtifactKey }
      : Path extends `${string}{code}${string}`
        ? { readonly code: string }
        : object

type QueryOf<R> = R extends { readonly query: readonly (infer N extends QueryName)[] }
  ? { readonly [K in N]: QueryValues[K] }
  : object

type HeadersOf<R> = R extends { readonly headers: readonly (infer N extends HeaderInput)[] }
  ? { readonly [K in N]: HeaderValues[K] }
  : object

type BodyOf<R> = R extends { readonly body: infer B }
  ? { readonly body: B extends keyof MessageValues ? MessageValues[B] : IncomingBytes }
  : object

/** The checked inputs of a route. */
export type InputOf<N extends RouteName> = SubjectOf<Routes[N]['path']> &
  QueryOf<Routes[N]> &
  HeadersOf<Routes[N]> &
  BodyOf<Routes[N]>

type ContentValue<C extends Content> = C extends keyof MessageValues
  ? MessageValues[C]
  : C extends 'bytes'
    ? AsyncIterable<Uint8Array>
    : object

type Table = typeof RESPONSE_HEADERS
type Promised<H> = H extends keyof Table ? (Table[H]['required'] extends true ? H : never) : never

type HeadersWith<D> = D extends { readonly headers: readonly (infer H)[] }
  ? { readonly headers: { readonly [K in Promised<H>]: string } & Readonly<Record<string, string>> }
  : { readonly headers?: Readonly<Record<string, string>> }

type ContentWith<D> = D extends { readonly content: infer C extends Content }
  ? { readonly content: ContentValue<C> }
  : { readonly content?: undefined }

/** One of the successful responses of a route. */
export type ReplyOf<N extends RouteName> = {
  [S in keyof Routes[N]['responses']]: { readonly status: S } & HeadersWith<Routes[N]['responses'][S]> &
    ContentWith<Routes[N]['responses'][S]>
}[keyof Routes[N]['responses']]

/** @typeParam S the stores that the handlers work with; they come with the context, observed for this request. */
export type Handler<N extends RouteName, S> = (
  input: InputOf<N>,
  context: RequestContext<S>,
) => Promise<ReplyOf<N>>

export type Handlers<N extends RouteName, S> = { readonly [K in N]: Handler<K, S> }

/** The result of any handler, as the encoder sees it. */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly content?: unknown
}

/** Any handler, as the dispatcher sees it after it has checked the inputs of the route. */
export type AnyHandler<S> = (input: never, context: RequestContext<S>) => Promise<Reply>
