/**
 * Processes of the runner: each leads a process group of its own, so that stopping it stops its children. `stopEverything`
 * stops all of them, also when a step fails or the user presses Ctrl-C.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { errorCode } from '../../lib/flow/error-code.ts'

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Where its output goes; `inherit` shows it at once. */
  readonly output: { readonly file: string } | 'inherit'
}

/** A command that ended with another status than 0, or not in time. `message` ends with the last lines that it wrote. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
}

const STOP_MS = 15_000

const cleanups = new Set<() => Promise<void>>()

/** Registers an action of `stopEverything`; the returned function runs it now, once. */
export function onStop(cleanup: () => Promise<void>): () => Promise<void> {
  const once = async () => {
    if (cleanups.delete(once)) await cleanup()
  }
  cleanups.add(once)
  return once
}

/** Stops all running processes, the newest first. */
export async function stopEverything(): Promise<void> {
  for (const cleanup of [...cleanups].reverse()) await cleanup()
}

/** The last lines of a file, or nothing when there is none. */
export function tail(file: string, lines: number): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    return '' // no output yet
  }
}

/** Inside a suite a command joins the suite's own group, which the runner stops; otherwise it leads a new one. */
const LEADS = process.env.VITEST === undefined

function launch(command: string, args: readonly string[], options: CommandOptions): ChildProcess {
  const log = options.output === 'inherit' ? undefined : openSync(options.output.file, 'a')
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: LEADS,
    stdio: ['ignore', log ?? 'inherit', log ?? 'inherit'],
  })
  if (log !== undefined) closeSync(log)
  return child
}

/** Resolves with the status, or with the reason why the command could not start. */
function ended(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'no status'))
  })
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(LEADS ? -child.pid : child.pid, signal)
  } catch (error) {
    // The whole group is gone already.
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

const later = (milliseconds: number): { passed: Promise<'late'>; cancel(): void } => {
  let timer: NodeJS.Timeout
  const passed = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), milliseconds)
  })
  return { passed, cancel: () => clearTimeout(timer) }
}

async function stopGroup(child: ChildProcess, end: Promise<unknown>): Promise<void> {
  signalGroup(child, 'SIGTERM')
  const limit = later(STOP_MS)
  await Promise.race([end, limit.passed])
  limit.cancel()
  // Members may outlive their leader, and a leader may ignore the signal.
  signalGroup(child, 'SIGKILL')
}

/**
 * Runs a command to its end.
 *
 * @throws CommandFailed when its status is not 0, or after `limitMs` milliseconds; its group is stopped then.
 */
export async function run(
  command: string,
  args: readonly string[],
  limitMs: number,
  options: CommandOptions,
): Promise<void> {
  const child = launch(command, args, options)
  const end = ended(child)
  const stop = onStop(() => stopGroup(child, end))
  const limit = later(limitMs)
  const result = await Promise.race([end, limit.passed])
  limit.cancel()
  await stop()
  if (result === 0) return
  const how = result === 'late' ? `did not end within ${limitMs / 1000} s` : `ended with ${result}`
  const shown = options.output === 'inherit' ? '' : `\n${tail(options.output.file, 60)}`
  throw new CommandFailed(`${[command, ...args].join(' ')} ${how}${shown}`)
}

/** The output of a short command; empty if it fails, is missing, or takes longer than `limitMs` milliseconds. */
export async function ask(
  command: string,
  args: readonly string[],
  limitMs: number,
): Promise<string | undefined> {
  const child = spawn(command, args, {
    detached: LEADS,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: process.env,
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const end = ended(child)
  const limit = later(limitMs)
  const result = await Promise.race([end, limit.passed])
  limit.cancel()
  if (result === 'late') signalGroup(child, 'SIGKILL')
  return result === 0 ? printed.trim() : undefined
}

export interface Service {
  readonly logFile: string
  stop(): Promise<void>
}

/**
 * Starts a process that serves until it is stopped, and waits until `ready` holds.
 *
 * @throws CommandFailed when it ends before, or is not ready after `limitMs` milliseconds.
 */
export async function serve(
  command: string,
  args: readonly string[],
  limitMs: number,
  options: CommandOptions & { readonly output: { readonly file: string } },
  ready: () => Promise<boolean>,
): Promise<Service> {
  writeFileSync(options.output.file, '')
  const child = launch(command, args, options)
  const end = ended(child)
  const stop = onStop(() => stopGroup(child, end))
  let result: number | string | undefined
  void end.then((status) => {
    result = status
  })
  const deadline = Date.now() + limitMs
  while (!(await ready())) {
    if (result === undefined && Date.now() < deadline) {
      await later(200).passed
      continue
    }
    const how = result === undefined ? `was not ready within ${limitMs / 1000} s` : `ended with ${result}`
    await stop()
    throw new CommandFailed(`${command} ${how}\n${tail(options.output.file, 60)}`)
  }
  return { logFile: options.output.file, stop }
}
