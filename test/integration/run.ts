/**
 * `npm run test:integration [-- --emulator localstack|ministack]`: starts an AWS emulator, probes what it enforces, deploys the
 * real stack with the CDK, runs the suites against it, and stops everything that it started.
 * Exit status: 0 all passed, 1 at least one failure, 2 this machine lacks a program that the emulator needs (a counted skip).
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COUNTS_FILE, type Counts } from './counting-reporter.ts'
import { bootstrap, deploy } from './deployment.ts'
import { awsEnvironment, type EmulatorName, PROJECT } from './emulator.ts'
import { emulatorOrExit, startEmulator, stopOnSignals } from './emulators.ts'
import { Missing } from './find-python.ts'
import { giveToSuites } from './given.ts'
import { whatIsNotWitnessed } from './probes.ts'
import { CommandFailed, run, stopEverything } from './processes.ts'
import { Tally } from './tally.ts'

const SUITES_MS = 1_200_000

/** Runs the suites and counts them. */
async function runSuites(env: NodeJS.ProcessEnv, work: string, tally: Tally): Promise<void> {
  const counts = join(work, 'counts.json')
  const vitest = join(PROJECT, 'node_modules', 'vitest', 'vitest.mjs')
  const args = [vitest, 'run', '--config', join(PROJECT, 'vitest.integration.config.ts')]
  const options = { cwd: PROJECT, env: { ...env, [COUNTS_FILE]: counts }, output: 'inherit' } as const
  try {
    await run(process.execPath, args, SUITES_MS, options)
  } catch (error) {
    // Failed tests are counted below; a run that did not reach its end is a failure of its own.
    if (!(error instanceof CommandFailed) || !existsSync(counts)) throw error
  }
  const { passed, failed, skipped }: Counts = JSON.parse(readFileSync(counts, 'utf8'))
  tally.passed += passed
  tally.failed += failed
  tally.skipped += skipped.length
  const reasons = new Map<string, number>()
  for (const reason of skipped) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  console.log(`suites: ${passed} passed, ${failed} failed, ${skipped.length} skipped, for these reasons:`)
  for (const [reason, count] of reasons) console.log(`  ${count} × ${reason}`)
}

async function main(name: EmulatorName, work: string, tally: Tally): Promise<void> {
  const emulator = await startEmulator(name, work)
  try {
    console.log(`${emulator.description}, ${emulator.endpoint}\nwhat it enforces:`)
    const notWitnessed = await whatIsNotWitnessed(emulator.endpoint, tally)
    const env = awsEnvironment(emulator.endpoint)
    const options = { project: PROJECT, work, env }
    await bootstrap(options)
    tally.pass('cdk bootstrap')
    const deployment = await deploy(options)
    tally.pass(`cdk deploy: ${deployment.apiRoot}`)
    const suites = giveToSuites({ emulator: name, work, deployment, notWitnessed })
    await runSuites({ ...env, ...suites }, work, tally)
  } catch (error) {
    tally.fail('the run', error instanceof Error ? error.message : String(error))
  }
  if (tally.failed > 0) console.log(`the end of the emulator's log:\n${await emulator.log()}`)
}

const name = emulatorOrExit('localstack', 'npm run test:integration')
const tally = new Tally()
const work = await mkdtemp(join(tmpdir(), 'bucket-integration-'))
const removeWork = () => rm(work, { recursive: true, force: true })
stopOnSignals(removeWork)

let status = 0
try {
  await main(name, work, tally)
} catch (error) {
  if (error instanceof Missing) {
    tally.skip(name, error.message)
    status = 2
  } else tally.fail(name, error instanceof Error ? error.message : String(error))
} finally {
  await stopEverything()
  await removeWork()
}
if (tally.failed > 0) status = 1
console.log(tally.summary)
process.exitCode = status
