/** A real `bucket serve` process, over a folder or other stores, which a test may kill at any moment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { BUCKET } from './program.ts'

export interface Served {
  /** The API root. */
  readonly url: string
  readonly child: ChildProcess
  /** Peak resident memory in MiB since the start. */
  peakMemory(): number
  /** The output of the server on stderr so far. */
  log(): string
  /** Sends SIGKILL; resolves when the process has ended. */
  kill(): Promise<void>
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
}

export type ServedFolder = Served

export const serveFolder = (dataDir: string, ...options: string[]): Promise<ServedFolder> =>
  serveWith(['--data-dir', dataDir, ...options])

const PROGRAM = [process.execPath, ...BUCKET, 'serve', '--port', '0'] as const

/** @param options of `bucket serve`, without the port, which is a free one. */
export const serveWith = ([...options]: readonly string[]): Promise<Served> => run([...PROGRAM, ...options])

/** Serves a folder within a limit of the system, such as `-f 100`. */
export const serveWithin = (limit: string, dataDir: string): Promise<Served> =>
  run(['sh', '-c', `ulimit ${limit} && exec "$0" "$@"`, ...PROGRAM, '--data-dir', dataDir])

async function run([program, ...args]: readonly [string, ...string[]]): Promise<Served> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const words: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => words.push(chunk))
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(() =>
      Promise.reject(new Error(`the server did not start: ${Buffer.concat(words)}`)),
    ),
  ])) as [string]
  const url = /http:\S+/.exec(line)?.[0]
  if (url === undefined) throw new Error(`no URL in ${line}`)
  // After its output has ended, too.
  const ended = once(child, 'close')
  return {
    url,
    child,
    peakMemory() {
      const [, kib = 'NaN'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
      return Number(kib) / 1024
    },
    log: () => Buffer.concat(words).toString(),
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      child.kill('SIGTERM')
      const [exit] = await ended
      return exit as number | null
    },
  }
}
