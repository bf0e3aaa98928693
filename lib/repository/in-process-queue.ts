/**
 * The queue of verifications inside of a server's process: a few at a time, again after a failure, and in the end given up.
 * It remembers nothing: the rows say what is unfinished, and whoever opens the stores sends those again.
 */
import { formatRef } from '../domain/identifiers.ts'
import type { VerificationQueue, VerificationRequest } from './upload-ports.ts'

/** One line of the log for each delivery. */
export interface DeliveryRecord {
  time: string
  operation: 'verify' | 'abandon'
  /** How often this verification was delivered, this time included. */
  delivery: number
  /** What it led to; `retry` when it comes again. */
  outcome: string
  duration_ms: number
  bucket_id: string
  artifact_id: string
  version: string
  digest: string
  attempt: string
  /** For the operator: why it comes again. */
  error?: string
}

export interface InProcessQueueOptions {
  /** Handles one delivery, and says what it led to; a rejection means again. */
  readonly verify: (request: VerificationRequest, signal: AbortSignal) => Promise<string>
  /** Ends what was delivered in vain; a rejection means again. */
  readonly abandon: (request: VerificationRequest) => Promise<void>
  readonly log: (record: DeliveryRecord) => void
  /** How many are verified at the same time. */
  readonly concurrency?: number
  /** How often one is delivered before it is given up. */
  readonly tries?: number
  /** Milliseconds before the second delivery; doubled for each one after it. */
  readonly firstDelay?: number
}

export interface InProcessQueue extends VerificationQueue {
  /** Takes no more, stops what is under way, and waits for that. What is unfinished stays so. */
  close(): Promise<void>
}

/** By default a verification is tried for about four minutes. */
const CONCURRENCY = 2
const TRIES = 12
const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 30_000

interface Job {
  readonly request: VerificationRequest
  deliveries: number
  /** Sent again while it was handled: what was seen then may be old. */
  isSentAgain: boolean
}

export function inProcessQueue(options: InProcessQueueOptions): InProcessQueue {
  const { verify, abandon, log } = options
  const { concurrency = CONCURRENCY, tries = TRIES, firstDelay = FIRST_DELAY_MS } = options
  /** Every job that is not done, by its upload and attempt. */
  const jobs = new Map<string, Job>()
  const ready: Job[] = []
  const running = new Set<Promise<void>>()
  const timers = new Set<NodeJS.Timeout>()
  const closed = new AbortController()
  const { signal } = closed
  const nameOf = ({ id, attempt }: VerificationRequest) => `${formatRef(id.ref)}@${id.digest}/${attempt}`

  function pump(): void {
    while (running.size < concurrency && !signal.aborted) {
      const job = ready.shift()
      if (!job) return
      const work = deliver(job).finally(() => {
        running.delete(work)
        pump()
      })
      running.add(work)
    }
  }

  async function deliver(job: Job): Promise<void> {
    const { request } = job
    job.deliveries += 1
    job.isSentAgain = false
    const isLast = job.deliveries > tries
    const write = lineOf(job, isLast ? 'abandon' : 'verify')
    try {
      if (isLast) await abandon(request)
      log(write(isLast ? 'abandoned' : await verify(request, signal)))
    } catch (error) {
      // What stops because the server does is no failure: the next start takes it up.
      if (!signal.aborted) log(write('retry', error))
      later(job)
      return
    }
    if (job.isSentAgain) later({ ...job, deliveries: 0 })
    else jobs.delete(nameOf(request))
  }

  function later(job: Job): void {
    if (signal.aborted) return
    jobs.set(nameOf(job.request), job)
    const delay = Math.min(MAX_DELAY_MS, firstDelay * 2 ** Math.max(0, job.deliveries - 1))
    const timer = setTimeout(() => {
      timers.delete(timer)
      ready.push(job)
      pump()
    }, delay)
    timer.unref() // what is unfinished is taken up at the next start
    timers.add(timer)
  }

  return {
    async send({ id, attempt }) {
      if (signal.aborted) return // the next start takes it up
      const request = { id, attempt }
      const known = jobs.get(nameOf(request))
      if (known) {
        known.isSentAgain = true
        return
      }
      const job = { request, deliveries: 0, isSentAgain: false }
      jobs.set(nameOf(request), job)
      ready.push(job)
      pump()
    },

    async close() {
      closed.abort(new Error('the server stops'))
      for (const timer of timers) clearTimeout(timer)
      await Promise.allSettled(running)
    },
  }
}

function lineOf({ request, deliveries }: Job, operation: DeliveryRecord['operation']) {
  const started = Date.now()
  const { ref, digest } = request.id
  return (outcome: string, error?: unknown): DeliveryRecord => ({
    time: new Date(started).toISOString(),
    operation,
    delivery: deliveries,
    outcome,
    duration_ms: Date.now() - started,
    bucket_id: ref.bucketId,
    artifact_id: ref.artifactId,
    version: ref.version,
    digest,
    attempt: request.attempt,
    ...(error === undefined ? {} : { error: describe(error) }),
  })
}

/** With the causes, for an `unavailable` says only what did not happen. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  return cause === undefined ? message : `${message} (${describe(cause)})`
}
