/**
 * `npm run emulator [-- --emulator ministack|localstack]`: starts an AWS emulator, deploys the stack once, prints how to use it,
 * and keeps it until Ctrl-C. Nothing of it survives.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, deploy } from './deployment.ts'
import { awsEnvironment, PROJECT } from './emulator.ts'
import { emulatorOrExit, startEmulator, stopOnSignals } from './emulators.ts'
import { Missing } from './find-python.ts'
import type { Deployment } from './given.ts'
import { stopEverything } from './processes.ts'

// MiniStack needs Python alone.
const name = emulatorOrExit('ministack', 'npm run emulator')
const work = await mkdtemp(join(tmpdir(), 'bucket-emulator-'))
const removeWork = () => rm(work, { recursive: true, force: true })
stopOnSignals(removeWork, 0)

const howToUse = (endpoint: string, { apiRoot, blobBucket, ledgerTable }: Deployment) => `
Bucket is deployed on ${name} at ${endpoint}. In another terminal:

  export BUCKET_URL=${apiRoot}
  echo hello | npx bucket put demo/greeting/v1 -
  npx bucket get demo/greeting/v1

To look behind the API with the AWS command line or an SDK:

  export AWS_ENDPOINT_URL=${endpoint} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
  S3 bucket of the blobs: ${blobBucket}
  table of the ledger:    ${ledgerTable}

Everything is removed at Ctrl-C.`

try {
  const { description, endpoint } = await startEmulator(name, work)
  console.log(`${description} runs at ${endpoint}; deploying the stack (about a minute)`)
  const options = { project: PROJECT, work, env: awsEnvironment(endpoint) }
  await bootstrap(options)
  console.log(howToUse(endpoint, await deploy(options)))
  // The emulator is a child process, which does not keep this one alive.
  setInterval(() => undefined, 2 ** 30)
} catch (error) {
  await stopEverything()
  await removeWork()
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = error instanceof Missing ? 2 : 1
}
