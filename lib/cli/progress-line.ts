/**
 * Progress on stderr: a live line on a terminal, a line every few seconds elsewhere. Short transfers show nothing.
 * The live line is cleared before anything else is written, so that output never runs into it.
 */
import type { Progress } from '../client/node.ts'
import { formatDuration, formatSize } from './sizes.ts'

export interface ProgressStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** Progress of a command: that of one transfer, or of several together. */
export interface Shown extends Progress {
  /** What is transferred: a file's name, or `3 of 20 files`. */
  readonly name?: string | undefined
}

export interface ProgressLine {
  report(progress: Shown): void
  /** Shows why no data arrives, until the next progress. */
  wait(reason: string): void
  clear(): void
}

export interface ProgressLineOptions {
  /** False on a terminal that cannot redraw a line (`TERM=dumb`). */
  readonly canRedraw?: boolean
  /** Milliseconds from any point; a parameter so that tests need not wait. */
  readonly now?: () => number
}

const QUIET_MS = 400
const REDRAW_MS = 100
const LINE_MS = 5_000
/** After this long without progress, the live line counts the seconds. */
const SILENCE_MS = 3_000
const BAR_CELLS = 20
/** A rate over a shorter time says nothing about the time left. */
const MEASURED_SECONDS = 1

export function progressLine(
  stream: ProgressStream,
  { canRedraw = true, now = () => performance.now() }: ProgressLineOptions = {},
): ProgressLine {
  const live = stream.isTTY === true && canRedraw
  const interval = live ? REDRAW_MS : LINE_MS
  let phase: Progress['phase'] | undefined
  let phaseBegan = now()
  let phaseBeganWith = 0
  let due = phaseBegan + (live ? QUIET_MS : LINE_MS)
  let drawn = false
  let last: { readonly progress: Shown; readonly at: number } | undefined
  let waiting: string | undefined
  let ticker: NodeJS.Timeout | undefined

  const draw = (text: string) => {
    drawn = true
    stream.write(live ? `\r${text}\x1b[K` : `${text}\n`)
  }
  const lineOf = ({ progress, at }: NonNullable<typeof last>, note: string | undefined) => {
    const width = live ? (stream.columns ?? 80) - 1 : Number.POSITIVE_INFINITY
    return describe(progress, progress.bytes - phaseBeganWith, (at - phaseBegan) / 1000, width, note)
  }
  const tick = () => {
    const silent = now() - (last?.at ?? 0)
    if (!last || silent < SILENCE_MS) return
    draw(lineOf(last, waiting ?? `no data for ${formatDuration(silent / 1000)}`))
  }

  return {
    report(progress) {
      // The command's own last line reports it.
      if (progress.phase === 'committed') return
      const at = now()
      if (progress.phase !== phase) {
        phase = progress.phase
        phaseBegan = at
        phaseBeganWith = progress.bytes
        // A phase that follows a shown one is shown at once.
        if (drawn) due = at
      }
      last = { progress, at }
      waiting = undefined
      if (live) ticker ??= setInterval(tick, 1000).unref()
      if (at < due) return
      due = at + interval
      draw(lineOf(last, undefined))
    },
    wait(reason) {
      waiting = reason
      if (live) draw(last ? lineOf(last, reason) : reason.slice(0, (stream.columns ?? 80) - 1))
      else stream.write(`${reason}\n`)
    },
    clear() {
      clearInterval(ticker)
      ticker = undefined
      if (live && drawn) stream.write('\r\x1b[K')
      drawn = false
    },
  }
}

/**
 * One line of at most `width` characters. The least important part is left out first: the bar, then the name, then the bytes.
 *
 * @param gained bytes since the phase began. Bytes of an earlier run do not count for the rate.
 * @param note replaces rate and time left while no data arrives.
 */
function describe(
  { name, phase, bytes, total, sent = 0 }: Shown,
  gained: number,
  seconds: number,
  width: number,
  note: string | undefined,
): string {
  const rate = seconds > 0 ? gained / seconds : 0
  const isWaitingForServer = phase === 'verifying' && bytes === 0
  const share = total ? bytes / total : undefined
  const done = total === undefined ? formatSize(bytes) : `${formatSize(bytes)} of ${formatSize(total)}`
  const segments: { readonly text: string | undefined; readonly keep: number }[] = [
    { text: name, keep: 1 },
    { text: isWaitingForServer ? `${phase}…` : phase, keep: 5 },
    { text: share === undefined || isWaitingForServer ? undefined : bar(share), keep: 0 },
    { text: isWaitingForServer ? undefined : done, keep: 2 },
    { text: share === undefined || isWaitingForServer ? undefined : `${Math.floor(100 * share)} %`, keep: 4 },
    { text: sent > bytes ? `(${formatSize(sent)} sent)` : undefined, keep: 3 },
    ...(note !== undefined || isWaitingForServer || rate <= 0
      ? [{ text: note, keep: 8 }]
      : [
          { text: `${formatSize(Math.round(rate))}/s`, keep: 6 },
          {
            text:
              total === undefined || seconds < MEASURED_SECONDS
                ? undefined
                : `${formatDuration((total - bytes) / rate)} left`,
            keep: 7,
          },
        ]),
  ]
  let kept = segments.filter(({ text }) => text !== undefined)
  const joined = () => kept.map(({ text }) => text).join('  ')
  while (joined().length > width && kept.length > 1) {
    const least = Math.min(...kept.map(({ keep }) => keep))
    kept = kept.filter(({ keep }) => keep !== least)
  }
  return joined().slice(0, width === Number.POSITIVE_INFINITY ? undefined : width)
}

const bar = (share: number): string => {
  const full = Math.min(BAR_CELLS, Math.floor(share * BAR_CELLS))
  return `[${'='.repeat(full)}${' '.repeat(BAR_CELLS - full)}]`
}
