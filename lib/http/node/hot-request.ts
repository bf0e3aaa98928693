/** The parts that the fetch and the store of the hot path (hot-path.ts) share. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BodyPace } from './request-body.ts'

/** A request that the general path continues. */
export interface BegunRequest {
  readonly requestId: string
  /** The whole body: the part that was read, then the rest. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface HotRequest {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** The accepted values of `Host`. */
  readonly hosts: ReadonlySet<string>
  readonly bodyPace: BodyPace
  /** Answers the request on the general path. */
  readonly general: (begun?: BegunRequest) => void
}
