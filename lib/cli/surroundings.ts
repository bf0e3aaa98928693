/**
 * What a command gets from outside: streams, environment, the wish to stop, and the server that `serve` starts.
 * Only `bin/` knows the real ones.
 */
import type { Readable, Writable } from 'node:stream'
import type { ProgressStream } from './progress-line.ts'
import type { ServeSettings } from './serve-settings.ts'

export interface RunningServer {
  /** The root of its API. */
  readonly url: string
  /** Finishes running requests. */
  stop(): Promise<void>
}

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly stdin: () => Readable
  readonly stdout: Writable
  readonly stderr: ProgressStream
  /** Aborted with an `Interrupted` when the user stops the command. */
  readonly signal: AbortSignal
  readonly startServer: (settings: ServeSettings) => Promise<RunningServer>
  readonly version: string
}
