/**
 * Runs a program that is killed, as by `kill -9`, just before its n-th call that changes the file system. Running it with n
 * from 1 to the last call covers every state that such a crash can leave (`npm run test:exhaustive`). Syncs are not counted: the system
 * keeps the writes of a process that is killed, synced or not.
 */
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bundledProgram } from './bundled-program.ts'
import { IS_EXHAUSTIVE } from './exhaustive.ts'

/** From one step of a crash to the next that is tried. */
export const STRIDE = IS_EXHAUSTIVE ? 1 : 4

/** Counts the calls that change the file system, in the process that loads it first. */
const COUNTER = `
const fs = require('node:fs')
let left = Number(process.env.KILL_AT)
const names = ['open', 'write', 'writev', 'writeFile', 'ftruncate', 'rename', 'rm', 'unlink', 'mkdir', 'chmod', 'fchmod']
const changesNothing = (name, args) => name.startsWith('open') && [undefined, 'r', 'r+'].includes(args[1])
const count = (holder, name) => {
  const original = holder[name]
  if (typeof original !== 'function') return
  holder[name] = function (...args) {
    if (!changesNothing(name, args) && --left === 0) process.kill(process.pid, 'SIGKILL')
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
  // CommonJS, because the imports of an ES module are bound before they can be counted.
  const { path, folder, remove } = await bundledProgram(source, 'cjs')
  const counter = join(folder, 'counter.cjs')
  await writeFile(counter, COUNTER)
  return {
    runUntil(step, ...args) {
      const { signal, status, stderr } = spawnSync(process.execPath, ['--require', counter, path, ...args], {
        env: { ...process.env, KILL_AT: String(step) },
      })
      if (signal === 'SIGKILL') return true
      if (status !== 0) throw new Error(`the program failed at step ${step}: ${stderr}`)
      return false
    },
    remove,
  }
}
