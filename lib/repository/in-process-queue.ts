/**
 * The queue of verifications in a server's process: it runs a few at a time, retries after failures, and abandons at the end.
 * It keeps no state on disk: the rows of uploads say which verifications are unfinished, and the program that opens the stores
 * sends those again.
 */
import { formatPinnedRef } from '../domain/identifiers.ts'
import type { VerificationQueue, VerificationRequest } from './upload-ports.ts'
import type { VerificationFacts } from './verify.ts'

/** One delivery, for the operation log. */
export interface DeliveryRecord extends VerificationFacts {
  time: string
  operation: 'verify' | 'abandon'
  /** The number of deliveries of this verification so far, this one included. */
  delivery: number
  /** The outcome; `retry` if it will be delivered again. */
  outcome: string
  durationMs: number
  bucketId: string
  artifactId: string
  version: string
  digest: string
  attempt: string
  /** For the operator: the reason for the retry. */
  error?: string
}

export interface InProcessQueueOptions {
  /** Handles one delivery and returns its outcome; a rejection means that it is delivered again. */
  readonly verify: (
    request: VerificationRequest,
    signal: AbortSignal,
    note: (facts: VerificationFacts) => void,
  ) => Promise<string>
  /** Ends an upload whose deliveries all failed; a rejection means that this is retried. */
  readonly abandon: (request: VerificationRequest) => Promise<void>
  readonly log: (record: DeliveryRecord) => void
  /** The number of concurrent verifications. */
  readonly concurrency?: number
  /** The number of deliveries before a verification is abandoned. */
  readonly tries?: number
  /** Milliseconds before the second delivery; doubled for each one after it. */
  readonly firstDelay?: number
}

export interface InProcessQueue extends VerificationQueue {
  /** Stops accepting messages, stops running verifications, and waits for them. Unfinished ones stay unfinished. */
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
  /** Queued again while being handled: the running delivery may have read outdated state. */
  isSentAgain: boolean
}

export function inProcessQueue(options: InProcessQueueOptions): InProcessQueue {
  const { verify, abandon, log } = options
  const { concurrency = CONCURRENCY, tries = TRIES, firstDelay = FIRST_DELAY_MS } = options
  /** The unfinished jobs, by upload and attempt. */
  const jobs = new Map<string, Job>()
  const ready: Job[] = []
  const running = new Set<Promise<void>>()
  const timers = new Set<NodeJS.Timeout>()
  const closed = new AbortController()
  const { signal } = closed
  const nameOf = ({ id, attempt }: VerificationRequest) => `${formatPinnedRef(id)}/${attempt}`

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
    const facts: VerificationFacts = {}
    try {
      if (isLast) await abandon(request)
      const outcome = isLast
        ? 'abandoned'
        : await verify(request, signal, (more) => Object.assign(facts, more))
      log(write(outcome, facts))
    } catch (error) {
      // A verification that stops with the server has not failed: the next start resumes it.
      if (!signal.aborted) log(write('retry', facts, error))
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
    timer.unref() // the next start resumes unfinished verifications
    timers.add(timer)
  }

  return {
    async send({ id, attempt }) {
      if (signal.aborted) return // the next start resumes it
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
  return (outcome: string, facts: VerificationFacts, error?: unknown): DeliveryRecord => ({
    time: new Date(started).toISOString(),
    operation,
    delivery: deliveries,
    outcome,
    durationMs: Date.now() - started,
    ...ref,
    digest,
    attempt: request.attempt,
    ...facts,
    ...(error === undefined ? {} : { error: describe(error) }),
  })
}

/** Includes the causes, because the message of `unavailable` does not name the failure. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  return cause === undefined ? message : `${message} (${describe(cause)})`
}
