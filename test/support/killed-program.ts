/**
 * Runs a program that is killed, as by `kill -9`, just before its n-th call that changes the file system. Running it with n
 * from 1 to the last call covers every state that a crash can leave.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

/** Counts the calls that change the file system, in the process that loads it first. */
const COUNTER = `
const fs = require('node:fs')
let left = Number(process.env.KILL_AT)
const names = ['open', 'write', 'writev', 'writeFile', 'ftruncate', 'fsync', 'fdatasync', 'rename', 'rm', 'unlink', 'mkdir', 'chmod', 'fchmod']
const isRead = (name, args) => name.startsWith('open') && (args[1] === undefined || args[1] === 'r')
const count = (holder, name) => {
  const original = holder[name]
  if (typeof original !== 'function') return
  holder[name] = function (...args) {
    if (!isRead(name, args) && --left === 0) process.kill(process.pid, 'SIGKILL')
    return original.apply(this, args)
  }
}
for (const name of names) {
  count(fs, name)
  count(fs, name + 'Sync')
  count(fs.promises, name)
}
`

export interface KilledProgram {
  /** @returns true if the program was killed; false if it ended before the n-th call. */
  runUntil(step: number, ...args: readonly string[]): boolean
  remove(): Promise<void>
}

/** @param source of a TypeScript program; its imports are relative to the root of the repository, and \`process.argv\` begins at 2. */
export async function killedProgram(source: string): Promise<KilledProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'bucket-killed-'))
  const outfile = join(folder, 'program.cjs')
  await build({
    stdin: { contents: source, resolveDir: resolve('.'), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    packages: 'external',
    // An ES module knows its own address; a bundle of CommonJS has to be told.
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href" },
    outfile,
    logLevel: 'error',
  })
  const counter = join(folder, 'counter.cjs')
  await writeFile(counter, COUNTER)
  return {
    runUntil(step, ...args) {
      const { signal, status, stderr } = spawnSync(
        process.execPath,
        ['--require', counter, outfile, ...args],
        { env: { ...process.env, KILL_AT: String(step), NODE_PATH: resolve('node_modules') } },
      )
      if (signal === 'SIGKILL') return true
      if (status !== 0) throw new Error(`the program failed at step ${step}: ${stderr}`)
      return false
    },
    remove: () => rm(folder, { recursive: true }),
  }
}
