/** Runs transfers in workers, and gives a component the state of the newest one. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Progress } from '../client/index.ts'
import type { Failure } from './failure.ts'
import type { FromWorker, Job, ToWorker, TransferKind, Transfers } from './transfer-messages.ts'

export type TransferState<K extends TransferKind> =
  | { readonly phase: 'idle' }
  /** `first` is the first report of the running phase: an upload that continues does not begin at zero. */
  | {
      readonly phase: 'running'
      readonly progress: Progress | undefined
      readonly first: Progress | undefined
    }
  | { readonly phase: 'done'; readonly result: Transfers[K]['result'] }
  | { readonly phase: 'canceled' }
  | { readonly phase: 'failed'; readonly failure: Failure }

export interface Transfer<K extends TransferKind> {
  readonly state: TransferState<K>
  /** Ends a transfer that still runs, and starts this one. */
  start(job: Job<K>): void
  /** Asks the running transfer to stop; its state tells when it did. */
  cancel(): void
  /** Ends a transfer that still runs, and forgets its state. */
  reset(): void
}

export function useTransfer<K extends TransferKind>(): Transfer<K> {
  const [state, setState] = useState<TransferState<K>>({ phase: 'idle' })
  const worker = useRef<Worker | undefined>(undefined)

  const end = () => {
    worker.current?.terminate()
    worker.current = undefined
  }
  useEffect(() => end, [])

  const settle = (settled: TransferState<K>) => {
    if (worker.current) idle.push(worker.current)
    worker.current = undefined
    setState(settled)
  }

  function start(job: Job<K>): void {
    end()
    setState({ phase: 'running', progress: undefined, first: undefined })
    const started = idle.pop() ?? startWorker()
    worker.current = started
    started.onmessage = ({ data }: MessageEvent<FromWorker<K>>) => {
      switch (data.kind) {
        case 'progress':
          return setState((before) => advanced(before, data.progress))
        case 'done':
          return settle({ phase: 'done', result: data.result })
        case 'canceled':
          return settle({ phase: 'canceled' })
        case 'failed':
          return settle({ phase: 'failed', failure: data.failure })
      }
    }
    started.onerror = () => {
      end()
      setState({ phase: 'failed', failure: NO_WORKER })
    }
    started.postMessage(job)
  }

  return {
    state,
    start,
    cancel: () => worker.current?.postMessage(CANCEL),
    reset() {
      end()
      setState({ phase: 'idle' })
    },
  }
}

/** Workers without a transfer. The next one then starts at once, also while the server of the page does not answer. */
const idle: Worker[] = []

const CANCEL: ToWorker = { kind: 'cancel' }

const advanced = <K extends TransferKind>(
  before: TransferState<K>,
  progress: Progress,
): TransferState<K> => ({
  phase: 'running',
  progress,
  first: before.phase === 'running' && before.first?.phase === progress.phase ? before.first : progress,
})

const NO_WORKER: Failure = {
  what: 'The transfer cannot start',
  why: ['The browser could not load or run worker.js, which is a part of this page'],
  next: 'Check that the server is running, then try again.',
}

/** The one way to turn text into a script that the page's policy allows: a fixed address. TypeScript lacks these types. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string }
}
const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
const workerUrl = trustedTypes?.createPolicy('worker', { createScriptURL: () => 'worker.js' })

const startWorker = () => new Worker(workerUrl?.createScriptURL('') ?? 'worker.js', { type: 'module' })
