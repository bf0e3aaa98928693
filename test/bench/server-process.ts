/** A server under measurement as a process of its own, with the kernel's figures for its memory and processor time. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** Ticks per second of the kernel's accounting: 100 on every Linux that Node runs on. */
const TICKS = 100

export interface MeasuredServer {
  /** Scheme and authority. */
  readonly origin: string
  /** Peak resident memory in MiB since the last reset. */
  peakMemory(): number
  resetPeak(): void
  /** Resident memory now, in MiB: of its own, and pages of files, which the kernel can take back at any time. */
  memory(): { readonly own: number; readonly files: number }
  /** Processor seconds, user and system, since the start. */
  cpuSeconds(): number
  /** Nanoseconds of processor time of the threads that run now: exact where `cpuSeconds` counts ticks. */
  cpuNanoseconds(): number
  stop(): Promise<void>
}

/**
 * Starts Bucket's server as it is built, which users run: tsx names every function again when it is made, which costs more than some
 * requests. `tools/build.mjs` must have run.
 */
export const startBucketServer = (dataDir: string, ...options: readonly string[]): Promise<MeasuredServer> =>
  start(['dist/bin/bucket.js', 'serve', '--port', '0', '--data-dir', dataDir, ...options])

/** Starts a script whose first line on stdout contains its URL. */
export const startMeasured = (script: readonly string[]): Promise<MeasuredServer> =>
  start(['--import', 'tsx', ...script])

async function start(script: readonly string[]): Promise<MeasuredServer> {
  const child = spawn(process.execPath, script, { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>,
    once(child, 'exit').then(() =>
      Promise.reject(new Error(`${script.join(' ')} ended before it was ready`)),
    ),
  ])
  const origin = /http:\/\/[^/\s]+/.exec(line)?.[0]
  if (origin === undefined) throw new Error(`no URL in ${line}`)
  return {
    origin,
    peakMemory: () => peakMemory(child),
    resetPeak: () => resetPeak(child),
    memory: () => memory(child),
    cpuSeconds: () => cpuSeconds(child),
    cpuNanoseconds: () => cpuNanoseconds(child),
    async stop() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await once(child, 'exit')
      clearTimeout(timer)
    },
  }
}

const proc = (child: ChildProcess, file: string) => `/proc/${child.pid}/${file}`

/** A line of the process's status, from KiB to MiB. */
function mebibytes(child: ChildProcess, name: string): number {
  const [, kib = '0'] =
    new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(proc(child, 'status'), 'utf8')) ?? []
  return Number(kib) / 1024
}

const peakMemory = (child: ChildProcess): number => mebibytes(child, 'VmHWM')

const memory = (child: ChildProcess) => ({
  own: mebibytes(child, 'RssAnon'),
  // Files in a memory file system count as shared memory.
  files: mebibytes(child, 'RssFile') + mebibytes(child, 'RssShmem'),
})

function resetPeak(child: ChildProcess): void {
  // Writing 5 here resets the peak in Linux (proc(5)).
  writeFileSync(proc(child, 'clear_refs'), '5')
}

/** Processor seconds of a process, user and system, since its start. */
export function cpuSeconds(child: ChildProcess): number {
  const fields = readFileSync(proc(child, 'stat'), 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

function cpuNanoseconds(child: ChildProcess): number {
  const threads = readdirSync(proc(child, 'task'))
  const times = threads.map((id) => readFileSync(proc(child, `task/${id}/schedstat`), 'utf8').split(' ')[0])
  return times.reduce((sum, time) => sum + Number(time), 0)
}
