/**
 * A process of `run.ts`: plants one fault after the other in the copy of the tree that is its working directory, and runs the tests of
 * each. One Vitest runs all of them, because its start takes longer than most of these tests. Each run has workers of its own, so no
 * module of an earlier fault stays loaded.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { createVitest, type Reporter, type TestModule } from 'vitest/node'
// @ts-expect-error a script without types
import { buildCommand } from '../../tools/build-command.mjs'
import { setup as buildProgram } from '../support/build-program.ts'
import { BUNDLE } from '../support/program.ts'
import type { Mutant } from './mutant.ts'

/** The tests that start the command line, which is bundled for each of their faults. The others see it without any fault. */
const STARTS_PROGRAMS = 'test/e2e/'

let modules: readonly TestModule[] = []
let errors: readonly unknown[] = []
const reporter: Reporter = {
  onTestRunEnd(run, unhandled) {
    modules = run
    errors = unhandled
  },
}
const vitest = await createVitest('test', {
  watch: false,
  bail: 1,
  maxWorkers: 1,
  reporters: [reporter],
  // Most modules are the same in every run, so the runs share what they compile.
  experimental: { fsModuleCache: true },
})
await vitest.standalone()
await buildProgram()

/** @returns why the fault was not noticed; undefined if it was. */
async function plant({ file, from, to, tests, titles }: Mutant): Promise<string | undefined> {
  const original = readFileSync(file, 'utf8')
  const count = original.split(from).length - 1
  if (count !== 1)
    return `the patch no longer applies: its text stands ${count} times in ${file}. Adapt the mutant:\n${from}`
  const startsPrograms = tests.some((path) => path.startsWith(STARTS_PROGRAMS))
  const write = async (text: string) => {
    writeFileSync(file, text)
    vitest.invalidateFile(resolve(file))
    if (startsPrograms) await buildCommand(dirname(process.env[BUNDLE] ?? ''))
  }
  try {
    await write(original.replace(from, () => to))
    return await survives(tests, titles)
  } finally {
    await write(original)
  }
}

async function survives(tests: readonly string[], titles: string | undefined): Promise<string | undefined> {
  if (titles === undefined) vitest.resetGlobalTestNamePattern()
  else vitest.setGlobalTestNamePattern(titles)
  await vitest.runTestSpecifications(await vitest.globTestSpecifications([...tests]))
  const states = modules.flatMap((module) =>
    [...module.children.allTests()].map((test) => test.result().state),
  )
  if (states.includes('failed')) return undefined
  const isSound = errors.length === 0 && modules.every((module) => module.ok()) && states.includes('passed')
  return isSound
    ? `it survived ${tests.join(', ')}${titles ? ` (${titles})` : ''}`
    : `its tests did not run:\n${JSON.stringify([errors, modules.flatMap((module) => module.errors())])}`
}

process.on('message', async (mutant: Mutant) => {
  const problem = await plant(mutant).catch((error: unknown) => `its tests did not run:\n${error}`)
  process.send?.({ problem })
})
process.on('disconnect', () => vitest.exit(true))
