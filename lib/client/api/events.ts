/** The events of a client, for an observer: each response, each failed request, each retry. They contain no secrets. */

export type ClientEvent =
  | {
      readonly kind: 'response'
      readonly method: string
      /** Without its query. */
      readonly url: string
      readonly status: number
      /** Milliseconds until the headers of the response arrived. */
      readonly ms: number
      readonly requestId: string | undefined
      /** The clock of the server, in milliseconds since the epoch, to the second; NaN if the response does not tell it. */
      readonly serverTime: number
    }
  | {
      readonly kind: 'failure'
      readonly method: string
      readonly url: string
      readonly ms: number
      readonly error: unknown
    }
  | {
      readonly kind: 'retry'
      /** Number of the attempt that follows; 2 after the first failure. */
      readonly attempt: number
      /** Milliseconds until then. */
      readonly delayMs: number
      readonly error: unknown
    }
  /** From now on, signatures use the time of the server. */
  | {
      readonly kind: 'clock'
      /** Milliseconds by which the clock here is ahead; negative if it is behind. */
      readonly aheadMs: number
    }

export type OnEvent = (event: ClientEvent) => void
