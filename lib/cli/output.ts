/** The output of a command: results on stdout, remarks and progress on stderr. With `--json` stdout is one JSON document. */
import type { Writable } from 'node:stream'
import type { Command } from 'commander'
import type { ClientEvent, KeptPartial, OnProgress } from '../client/node.ts'
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './failure.ts'
import { type ProgressLine, progressLine } from './progress-line.ts'
import { formatDuration, formatSize } from './sizes.ts'

export interface OutputOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

export const withOutput = (command: Command): Command =>
  command
    .option('--json', 'print one JSON document on stdout')
    .option('-q, --quiet', 'print only results and errors')
    .option('-v, --verbose', 'print each request, its response and its time on stderr (env: BUCKET_DEBUG)')

/** `BUCKET_OUTPUT`: how a command answers when its options do not say it. */
export type OutputKind = 'text' | 'json' | 'agent'

/** @throws UsageError for another value of `BUCKET_OUTPUT`. */
export function outputKind(environment: CliContext['environment']): OutputKind {
  const kind = environment[CLI_ENVIRONMENT.output] || 'text'
  if (kind === 'text' || kind === 'json' || kind === 'agent') return kind
  throw new UsageError(
    `${CLI_ENVIRONMENT.output} is ${JSON.stringify(kind)}`,
    'Set it to text, json or agent.',
    'Unknown form of output',
  )
}

/** Sets the options of a command that `BUCKET_OUTPUT` implies. Bytes on stdout stay bytes. */
export function applyOutputKind(command: Command, kind: OutputKind): void {
  const has = (name: string) => command.options.some((option) => option.attributeName() === name)
  if (kind !== 'text' && has('json') && command.getOptionValue('output') !== '-')
    command.setOptionValue('json', true)
  if (kind === 'agent' && has('quiet')) command.setOptionValue('quiet', true)
}

/** Said after Ctrl-C, once bytes of a store that can be continued may have been sent. */
export const KEPT_BY_SERVER =
  'stopped: the server keeps what has arrived, and the same command sends only the rest'

export interface Output {
  /** Prints either the text for people or the document. Resolves once it is written. */
  result(text: string, document: unknown): Promise<void>
  /** Prints a remark on stderr, unless `--quiet`. */
  remark(text: string): void
  /** Says where the bytes of an unfinished transfer are. */
  readonly kept: (kept: KeptPartial) => void
  readonly onProgress: OnProgress
  /** Shows retries, and with `--verbose` every request. */
  readonly onEvent: (event: ClientEvent) => void
  /** The live line, for commands that show several transfers at once; undefined with `--quiet`. */
  readonly line: ProgressLine | undefined
  /** Ends the live line. */
  close(): void
}

/** @param name what the progress is about, such as a file's name. */
export function createOutput(
  { json, quiet, verbose }: OutputOptions,
  { stdout, stderr, environment }: CliContext,
  name?: string,
): Output {
  const line = quiet ? undefined : progressLine(stderr, { canRedraw: environment.TERM !== 'dumb' })
  const isVerbose = verbose || Boolean(environment[CLI_ENVIRONMENT.debug])
  function remark(text: string): void {
    line?.clear()
    if (!quiet) stderr.write(`${text}\n`)
  }
  return {
    async result(text, document) {
      line?.clear()
      await write(stdout, json ? `${JSON.stringify(document)}\n` : text)
    },
    remark,
    kept: ({ path, bytes, total }) =>
      remark(
        `${formatSize(bytes)} of ${formatSize(total)} are kept in ${path}; the same command continues from there`,
      ),
    onProgress: (progress) => line?.report({ ...progress, name }),
    onEvent(event) {
      if (isVerbose) {
        line?.clear()
        stderr.write(`${eventLine(event)}\n`)
      } else if (event.kind === 'retry') line?.wait(waitLine(event))
      else if (event.kind === 'clock') remark(clockLine(event))
    },
    line,
    close: () => line?.clear(),
  }
}

type Retry = Extract<ClientEvent, { kind: 'retry' }>

/** From this many seconds on, the delay before the next attempt is shown. */
const LONG_DELAY_SECONDS = 5

function waitLine({ attempt, delayMs, error }: Retry): string {
  const seconds = delayMs / 1000
  const when = seconds >= LONG_DELAY_SECONDS ? ` in ${formatDuration(seconds)}` : ''
  return `waiting for the server, attempt ${attempt}${when}: ${messageOf(error)}`
}

function clockLine({ aheadMs }: Extract<ClientEvent, { kind: 'clock' }>): string {
  const off = formatDuration(Math.abs(aheadMs) / 1000)
  return `note: the clock of this machine is ${off} ${aheadMs > 0 ? 'ahead' : 'behind'}, so requests are signed with the server's time`
}

function eventLine(event: ClientEvent): string {
  switch (event.kind) {
    case 'response': {
      const id = event.requestId === undefined ? '' : `  request ${event.requestId}`
      return `> ${event.method} ${event.url}  ${event.status}  ${event.ms} ms${id}`
    }
    case 'failure':
      return `> ${event.method} ${event.url}  failed after ${event.ms} ms: ${messageOf(event.error)}`
    case 'clock':
      return clockLine(event)
    case 'retry':
      return `> attempt ${event.attempt} in ${Math.round(event.delayMs)} ms: ${messageOf(event.error)}`
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Resolves when the text was written, so that the process may end. */
export const write = (stream: Writable, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })

/**
 * Waits until the system has everything that was written to `stream`. The end of a pipeline into it waits for no reader, and the end of
 * the process loses the bytes that a full pipe could not take.
 */
export async function flush(stream: Writable): Promise<void> {
  if (stream.errored) throw stream.errored
  // An empty write to a terminal that is gone would fail, although it has everything.
  if (stream.writableLength > 0) await write(stream, '')
}
