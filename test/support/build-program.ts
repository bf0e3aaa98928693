/**
 * Bundles the command line of the current sources once for a whole run of tests. A program that compiles every module as it loads takes
 * five times the processor time to start, and the tests start hundreds of programs.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
// @ts-expect-error a script without types
import { buildCommand } from '../../tools/build-command.mjs'
import { BUNDLE } from './program.ts'

export async function setup(): Promise<() => void> {
  // Each project of the run asks for it.
  if (process.env[BUNDLE] !== undefined) return () => {}
  const folder = mkdtempSync(join(tmpdir(), 'bucket-program-'))
  await buildCommand(join(folder, 'dist', 'bin'))
  // It finds these as it does in the package.
  for (const name of ['node_modules', 'package.json', 'docs']) symlinkSync(resolve(name), join(folder, name))
  process.env[BUNDLE] = join(folder, 'dist', 'bin', 'bucket.js')
  return () => rmSync(folder, { recursive: true, force: true })
}
