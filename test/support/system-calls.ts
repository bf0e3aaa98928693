/**
 * The system calls of a program, as the kernel saw them: the order of writes and syncs, which no crash of a process can show.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { bundledProgram } from './bundled-program.ts'

/** The reason why tracing is not possible here; undefined if it is. */
export const cannotTrace =
  spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0
    ? undefined
    : 'strace is missing or may not trace here'

/** One system call: when it began and ended, counted in lines of the trace. */
export interface SystemCall {
  readonly text: string
  readonly begin: number
  end: number
}

function parseTrace(trace: string): SystemCall[] {
  const calls: SystemCall[] = []
  const unfinished = new Map<string, SystemCall>()
  for (const [line, text] of trace.split('\n').entries()) {
    const [, pid = '', call = ''] = /^(\d+)\s+(.*)$/.exec(text) ?? []
    const resumed = call.startsWith('<...') ? unfinished.get(pid) : undefined
    if (resumed) resumed.end = line
    else calls.push({ text: call, begin: line, end: line })
    const last = calls.at(-1)
    if (last && call.endsWith('<unfinished ...>')) {
      last.end = Number.POSITIVE_INFINITY
      unfinished.set(pid, last)
    }
  }
  return calls
}

export interface Trace {
  /** The matching calls after the program's mark `begin`. Paths are the kernel's own. */
  find(pattern: RegExp): SystemCall[]
  /** The only call that matches. */
  one(pattern: RegExp): SystemCall
  /** Every call, including those before `begin`. */
  readonly calls: readonly SystemCall[]
}

/** Runs a TypeScript program that writes `begin` to its stdout, and other words as marks. */
export async function traceProgram(program: string): Promise<Trace> {
  const { path, folder, remove } = await bundledProgram(program)
  const output = join(folder, 'trace')
  const watched = 'trace=openat,write,pwrite64,pwritev,writev,fsync,fdatasync,rename,mkdir'
  execFileSync(
    'strace',
    ['-f', '-qq', '-y', '-s', '16', '-e', watched, '-o', output, process.execPath, path],
    { stdio: 'pipe' },
  )
  const calls = parseTrace(await readFile(output, 'utf8'))
  await remove()
  const begin = calls.find(({ text }) => /^write\(1.*"begin"/.test(text))?.begin ?? Number.POSITIVE_INFINITY
  const find = (pattern: RegExp) => calls.filter((call) => call.begin >= begin && pattern.test(call.text))
  return {
    calls,
    find,
    one(pattern) {
      const [first, ...others] = find(pattern)
      expect(others, String(pattern)).toEqual([])
      if (!first) throw new Error(`no system call ${pattern}`)
      return first
    },
  }
}

/** Each step has ended before the next begins. */
export function expectInOrder(...steps: readonly SystemCall[]): void {
  for (const [index, step] of steps.entries()) {
    const next = steps[index + 1]
    if (next) expect(step.end, `${step.text} before ${next.text}`).toBeLessThan(next.begin)
  }
}
