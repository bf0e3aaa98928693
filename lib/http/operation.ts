/**
 * One request under way: its identity, how long its waits took, and what its line in the operation log will say.
 * The log never sees a header, a query or a byte of an artifact (docs/http-api.md, section 9).
 */

import type { ErrorCode } from '../domain/errors.ts'
import type { ArtifactKey, ArtifactRef } from '../domain/identifiers.ts'
import type { WireContext } from '../protocol/encode.ts'
import type { HttpRequest } from '../protocol/http-message.ts'
import type { RouteName } from '../protocol/routes.ts'
import type { Call } from '../repository/repository.ts'

/** One line of the operation log. Times in milliseconds, sizes in bytes. */
export interface OperationRecord {
  time: string
  request_id: string
  operation: RouteName | 'unknown' | 'preflight' | 'blob'
  method: string
  status: number
  duration_ms: number
  code?: ErrorCode
  bucket_id?: string
  artifact_id?: string
  version?: string
  digest?: string
  size?: number
  bytes_sent?: number
  /** Set when the sender or receiver went away before the end. */
  aborted?: true
  /** The inner message of an `internal` or `unavailable`: for the operator, never on the wire. */
  error?: string
}

export type OperationLog = (record: OperationRecord) => void

export class Operation implements Call, WireContext {
  readonly requestId: string
  readonly origin: string
  readonly #started = performance.now()
  readonly #phases = new Map<string, number>()
  readonly record: Partial<OperationRecord> = {}
  readonly signal?: AbortSignal

  constructor({ requestId, origin, signal }: Pick<HttpRequest, 'requestId' | 'origin' | 'signal'>) {
    this.requestId = requestId
    this.origin = origin
    if (signal) this.signal = signal
  }

  readonly time = async <T>(phase: string, wait: Promise<T>): Promise<T> => {
    const from = performance.now()
    try {
      return await wait
    } finally {
      this.#phases.set(phase, (this.#phases.get(phase) ?? 0) + performance.now() - from)
    }
  }

  /** Notes what the request is about, for the log. */
  about(subject: ArtifactRef | ArtifactKey): void {
    this.record.bucket_id = subject.bucketId
    this.record.artifact_id = subject.artifactId
    if ('version' in subject) this.record.version = subject.version
  }

  get elapsed(): number {
    return Math.round((performance.now() - this.#started) * 100) / 100
  }

  /** `Server-Timing`: each phase and the total so far, in milliseconds. */
  serverTiming(): string {
    const phases = [...this.#phases, ['total', this.elapsed] as const]
    return phases.map(([name, duration]) => `${name};dur=${duration.toFixed(2)}`).join(', ')
  }
}
