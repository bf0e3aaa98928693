/** Turns the progress of a transfer into notifications: one number that only grows, over all phases, and a sentence. */
import type { OnProgress, Progress } from '../client/node.ts'

export interface ProgressReport {
  /** Bytes of work done, over all phases. */
  readonly progress: number
  /** Bytes of work that are known so far. A store reads its bytes twice: to hash them, and to send them. */
  readonly total?: number
  readonly message: string
}

/** Between two notifications of one phase. Milliseconds. */
const INTERVAL_MS = 250

/**
 * @param now milliseconds, from a clock that never goes back.
 * @returns a listener that calls `send` at most once in `INTERVAL_MS`, and always for the end of a phase.
 */
export function progressReports(send: (report: ProgressReport) => void, now: () => number): OnProgress {
  let phase: Progress['phase'] | undefined
  let before = 0
  let inPhase = 0
  let lastSent = 0
  let lastTime = Number.NEGATIVE_INFINITY
  return (progress) => {
    if (progress.phase === 'committed') return
    if (progress.phase !== phase) {
      before += inPhase
      inPhase = 0
      phase = progress.phase
      lastTime = Number.NEGATIVE_INFINITY
    }
    const { bytes, total } = progress
    // A broken connection may cost bytes that were counted.
    inPhase = Math.max(inPhase, bytes)
    const done = before + inPhase
    const isEnd = bytes === total
    if (done <= lastSent || (!isEnd && now() - lastTime < INTERVAL_MS)) return
    lastSent = done
    lastTime = now()
    const later = phase === 'hashing' && total !== undefined ? total : 0
    send({
      progress: done,
      ...(total !== undefined && { total: before + total + later }),
      message: sentence(progress),
    })
  }
}

const sentence = ({ phase, bytes, total, files }: Progress): string => {
  const ofAll = total === undefined ? '' : ` of ${total}`
  const ofFiles = files ? `, ${files.done} of ${files.total} files` : ''
  return `${phase}: ${bytes}${ofAll} bytes${ofFiles}`
}
