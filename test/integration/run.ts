/**
 * `npm run test:integration [-- --emulator localstack|ministack]`: starts an AWS emulator, probes what it enforces, deploys the
 * real stack with the CDK, runs the suites against it, and stops everything that it started.
 * Exit status: 0 all passed, 1 at least one failure, 2 this machine lacks a program that the emulator needs (a counted skip).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, deploy } from './deployment.ts'
import { awsEnvironment, type EmulatorName, PROJECT } from './emulator.ts'
import { emulatorOrExit, startEmulator, stopOnSignals } from './emulators.ts'
import { Missing } from './find-python.ts'
import { giveToSuites } from './given.ts'
import { whatIsNotWitnessed } from './probes.ts'
import { stopEverything } from './processes.ts'
import { runSuites } from './run-suites.ts'
import { Tally } from './tally.ts'

const SUITES_MS = 1_200_000

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
    await runSuites({ env: { ...env, ...suites }, work, tally, limit: SUITES_MS })
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
