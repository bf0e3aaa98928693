/** Runs a command line in process, with streams that keep what was written. */
import { Readable, Writable } from 'node:stream'
import { readDocument } from '../../../bin/documents.ts'
import type { CliContext, RunningServer } from '../../../lib/cli/context.ts'
import { run } from '../../../lib/cli/run.ts'
import type { ServeSettings } from '../../../lib/cli/serve-settings.ts'
import * as dataFolderTools from '../../../lib/local/data-folder-tools.ts'
import { checkFolder } from '../../../lib/local/folder-check.ts'

export interface Ran {
  readonly exit: number
  readonly stdout: string
  readonly bytes: Buffer
  readonly stderr: string
}

export interface RunOptions {
  readonly url?: string
  readonly environment?: CliContext['environment']
  readonly stdin?: Uint8Array | AsyncIterable<Uint8Array> | undefined
  readonly signal?: AbortSignal
  readonly startServer?: (settings: ServeSettings) => Promise<RunningServer>
  readonly probeStores?: CliContext['probeStores']
  readonly runMcp?: CliContext['runMcp']
}

export async function bucket(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { stdin = new Uint8Array() } = options
  const out: Buffer[] = []
  let stderr = ''
  // As a pipe with a slow reader: bytes that were not taken when the command ends are lost.
  const stdout = new Writable({
    write(chunk, _, done) {
      setImmediate(() => {
        out.push(chunk)
        done()
      })
    },
  })
  const exit = await run(args, {
    environment: { BUCKET_URL: options.url, ...options.environment },
    stdin: () => Readable.from(stdin instanceof Uint8Array ? [stdin] : stdin),
    stdout,
    stderr: {
      write(text) {
        stderr += text
      },
    },
    signal: options.signal ?? new AbortController().signal,
    startServer: options.startServer ?? (() => Promise.reject(new Error('no server here'))),
    probeStores: options.probeStores ?? (() => Promise.reject(new Error('no stores here'))),
    checkFolder,
    dataFolder: async () => dataFolderTools,
    runMcp: options.runMcp ?? (() => Promise.reject(new Error('no MCP server here'))),
    readDocument,
    version: '1.2.3',
  })
  const bytes = Buffer.concat(out)
  return { exit, stdout: bytes.toString(), bytes, stderr }
}
