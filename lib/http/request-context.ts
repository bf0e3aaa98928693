/**
 * One request in progress: its identity, its stores, how long its waits took, and its line in the operation log.
 * The log never contains a header, a query or a byte of an artifact (docs/http-api.md, section 9).
 */
import type { Digest } from '../domain/digest.ts'
import type { BlobId } from '../domain/entry.ts'
import type { ErrorCode } from '../domain/errors.ts'
import type { ArtifactKey, ArtifactRef } from '../domain/identifiers.ts'
import type { WireContext } from '../protocol/encode.ts'
import type { HttpRequest } from '../protocol/http-message.ts'
import type { RouteName } from '../protocol/routes.ts'
import { observe, type Timer } from '../repository/observe.ts'

/** One request in the operation log. Times in milliseconds, sizes in bytes. */
export interface OperationRecord {
  time: string
  requestId: string
  operation: RouteName | 'unknown' | 'preflight' | 'blob' | 'page'
  method: string
  status: number
  durationMs: number
  code?: ErrorCode
  bucketId?: string
  artifactId?: string
  version?: string
  digest?: string
  size?: number
  bytesSent?: number
  /** Set when the sender or receiver disconnected before the end. */
  aborted?: true
  /** The inner message of an `internal` or `unavailable`: for the operator, never on the wire. */
  error?: string
}

/** The members that differ between requests with the same response. */
export type Varying = 'time' | 'requestId' | 'durationMs'

/** Writes the line of a request for which everything else was prepared. */
export type RepeatedLine = (time: string, requestId: string, durationMs: number) => void

export interface OperationLog {
  (record: OperationRecord): void
  /**
   * Prepares lines for which `recordOf` returns the same record, except for the given members. A log without it gets each record as a
   * whole.
   */
  readonly repeated?: (recordOf: (varying: Pick<OperationRecord, Varying>) => OperationRecord) => RepeatedLine
}

/** The part of a request that its handler works with. */
export interface RequestContext<S> extends WireContext {
  readonly origin: string
  readonly signal: AbortSignal | undefined
  /** Their waits are timed for `Server-Timing`. */
  readonly stores: S
  /** Adds to the request's line in the operation log. */
  note(facts: { readonly digest: Digest; readonly size?: number }): void
}

/** The subjects that a path can name. */
export interface Subject {
  readonly key?: ArtifactKey
  readonly ref?: ArtifactRef
  readonly id?: BlobId
}

/** Measures one request and collects its line in the operation log. */
export class RequestTrace {
  readonly record: Partial<OperationRecord> = {}
  readonly #started = performance.now()
  readonly #phases = new Map<string, number>()

  readonly time: Timer = async (phase, wait) => {
    const from = performance.now()
    try {
      return await wait
    } finally {
      this.spent(phase, from)
    }
  }

  /** @param from when the phase began, by `performance.now()`. It ends now. */
  spent(phase: string, from: number): void {
    this.#phases.set(phase, (this.#phases.get(phase) ?? 0) + performance.now() - from)
  }

  /** Notes the subject of the request for the log. */
  about(subject: ArtifactRef | ArtifactKey): void {
    this.record.bucketId = subject.bucketId
    this.record.artifactId = subject.artifactId
    if ('version' in subject) this.record.version = subject.version
  }

  /** Notes what the inputs of a route name. */
  noteSubject(inputs: object): void {
    const { key, ref, id }: Subject = inputs
    const subject = id?.ref ?? ref ?? key
    if (subject) this.about(subject)
    if (id) this.record.digest = id.digest
  }

  /** Milliseconds so far. */
  get elapsed(): number {
    return elapsedSince(this.#started)
  }

  /** `Server-Timing`: each phase and the total so far, in milliseconds. */
  serverTiming(): string {
    let phases = ''
    for (const [name, duration] of this.#phases) phases += `${name};dur=${duration.toFixed(2)}, `
    return phases + totalTiming(this.elapsed)
  }
}

/**
 * @param started by `performance.now()`.
 * @returns milliseconds, rounded to hundredths.
 */
export const elapsedSince = (started: number): number => Math.round((performance.now() - started) * 100) / 100

/** The `Server-Timing` of a request without phases. */
export const totalTiming = (elapsed: number): string => `total;dur=${elapsed.toFixed(2)}`

/** The ports among the stores of an API, and the phase of `Server-Timing` in which a call of each counts. */
const PHASES: Readonly<Record<string, string>> = {
  ledger: 'ledger',
  blobs: 'blobs',
  bytes: 'blobs',
  staging: 'blobs',
  uploads: 'uploads',
  queue: 'uploads',
}

/**
 * Makes the contexts of requests. What a handler does not use costs nothing: a port is observed, and the signal of a request made, when
 * the handler takes it.
 *
 * @returns a function that makes the context of a request, whose stores report to `trace`.
 */
export function requestContexts<S extends object>(
  stores: S,
): (request: HttpRequest, trace: RequestTrace) => RequestContext<S> {
  /** The stores of one request: a member for each store, observed when it is read. */
  class ObservedStores {
    readonly trace: RequestTrace

    constructor(trace: RequestTrace) {
      this.trace = trace
    }
  }
  for (const name of Object.keys(stores) as (keyof S & string)[]) {
    const phase = PHASES[name]
    Object.defineProperty(ObservedStores.prototype, name, {
      get(this: ObservedStores) {
        const store: unknown = stores[name]
        return phase === undefined || typeof store !== 'object' || store === null
          ? store
          : observe(store, phase, this.trace.time)
      },
    })
  }
  return (request, trace) => ({
    requestId: request.requestId,
    origin: request.origin,
    get signal() {
      return request.signal
    },
    // The loop above defines every member of S.
    stores: new ObservedStores(trace) as unknown as S,
    note: (facts) => Object.assign(trace.record, facts),
  })
}
