/** What a command says: results on stdout, messages and progress on stderr. With `--json` stdout is one JSON document. */
import type { Writable } from 'node:stream'
import type { Command } from 'commander'
import type { OnProgress } from '../client/node.ts'
import type { CliContext } from './context.ts'
import { type ProgressLine, progressLine } from './progress-line.ts'

export interface OutputOptions {
  readonly json?: boolean
  readonly quiet?: boolean
}

export const withOutput = (command: Command): Command =>
  command
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress and no messages, only results and errors')

export interface Output {
  /** One of the two: text for people, or the document. Resolves when it has left. */
  result(text: string, document: unknown): Promise<void>
  /** A remark on stderr, unless `--quiet`. */
  remark(text: string): void
  readonly onProgress: OnProgress | undefined
  /** Ends the live line. */
  close(): void
}

export function createOutput({ json, quiet }: OutputOptions, { stdout, stderr }: CliContext): Output {
  const line: ProgressLine | undefined = quiet ? undefined : progressLine(stderr)
  return {
    async result(text, document) {
      line?.clear()
      await write(stdout, json ? `${JSON.stringify(document)}\n` : text)
    },
    remark(text) {
      line?.clear()
      if (!quiet) stderr.write(`${text}\n`)
    },
    onProgress: line?.report,
    close: () => line?.clear(),
  }
}

/** Resolves when the text has left, so that the process may end. */
export const write = (stream: Writable, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
