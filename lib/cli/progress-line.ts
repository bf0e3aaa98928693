/**
 * Progress on stderr: a live line on a terminal, a line every few seconds elsewhere. Short transfers show nothing.
 * The live line is cleared before anything else is written, so that output never runs into it.
 */
import type { OnProgress, Progress } from '../client/node.ts'
import { formatDuration, formatSize } from './sizes.ts'

export interface ProgressStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface ProgressLine {
  readonly report: OnProgress
  clear(): void
}

const QUIET_MS = 400
const REDRAW_MS = 100
const LINE_MS = 5_000

/** @param now milliseconds from any point; a parameter so that tests need not wait. */
export function progressLine(
  stream: ProgressStream,
  now: () => number = () => performance.now(),
): ProgressLine {
  const live = stream.isTTY === true
  const interval = live ? REDRAW_MS : LINE_MS
  let phase: Progress['phase'] | undefined
  let phaseBegan = now()
  let phaseBeganWith = 0
  let due = phaseBegan + (live ? QUIET_MS : LINE_MS)
  let drawn = false

  return {
    report(progress) {
      // The command's own last word says it.
      if (progress.phase === 'committed') return
      const at = now()
      if (progress.phase !== phase) {
        phase = progress.phase
        phaseBegan = at
        phaseBeganWith = progress.bytes
        // A phase that follows a shown one is shown at once.
        if (drawn) due = at
      }
      if (at < due) return
      due = at + interval
      drawn = true
      const line = describe(progress, progress.bytes - phaseBeganWith, (at - phaseBegan) / 1000)
      stream.write(live ? `\r${line.slice(0, (stream.columns ?? 80) - 1)}\x1b[K` : `${line}\n`)
    },
    clear() {
      if (live && drawn) stream.write('\r\x1b[K')
      drawn = false
    },
  }
}

/** @param gained bytes since the phase began; what was there before, of a resumed upload, says nothing about speed. */
function describe({ phase, bytes, total, sent = 0 }: Progress, gained: number, seconds: number): string {
  if (phase === 'verifying' && bytes === 0) return `${phase}…`
  const rate = seconds > 0 ? gained / seconds : 0
  const done = total === undefined ? formatSize(bytes) : `${formatSize(bytes)} of ${formatSize(total)}`
  const parts = [`${phase.padEnd(11)} ${done}`]
  if (total) parts.push(`${Math.floor((100 * bytes) / total)} %`)
  if (sent > bytes) parts.push(`(${formatSize(sent)} sent)`)
  if (rate > 0) parts.push(`${formatSize(Math.round(rate))}/s`)
  if (rate > 0 && total !== undefined) parts.push(`${formatDuration((total - bytes) / rate)} left`)
  return parts.join('  ')
}
