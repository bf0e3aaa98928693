/**
 * `npm run test:engines`: `bucket serve --store aws` on engines of one's own instead of AWS: versitygw for S3, DynamoDB Local for the
 * tables (docs/engines.md). Both listen on loopback and start empty.
 * Exit status: 0 all passed, 1 a test failed, 2 this machine lacks Go, a JDK or Maven.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { awsEnvironment, freePort } from './emulator.ts'
import { stopOnSignals } from './emulators.ts'
import { Missing } from './find-python.ts'
import { installDynamoDbLocal } from './install-dynamodb-local.ts'
import { gatewayArguments, installVersityGateway } from './install-versitygw.ts'
import { serve, stopEverything } from './processes.ts'
import { runSuites } from './run-suites.ts'
import { Tally } from './tally.ts'

const START_MS = 60_000
const SUITES_MS = 600_000
const SUITES = ['serve-aws.test.ts', 'audit.test.ts']

/** Whether anything responds, with any status. */
const responds = (url: string) =>
  fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    () => true,
    () => false,
  )

async function startEngines(work: string): Promise<NodeJS.ProcessEnv> {
  const [gateway, dynamo] = [await installVersityGateway(work), await installDynamoDbLocal(work)]
  const [s3Port, dynamoPort] = [await freePort(), await freePort()]
  const s3 = `http://127.0.0.1:${s3Port}`
  const dynamoDb = `http://127.0.0.1:${dynamoPort}`
  const objects = join(work, 'objects')
  await mkdir(objects)
  await serve(
    gateway,
    gatewayArguments(s3Port, objects),
    START_MS,
    { output: { file: join(work, 'versitygw.log') } },
    () => responds(s3),
  )
  const classes = `${join(dynamo, '*')}:${dynamo}`
  await serve(
    'java',
    [
      ...['-Xmx300m', `-Djava.library.path=${dynamo}`, '-cp', classes, 'LoopbackDynamoDB'],
      ...['-inMemory', '-sharedDb', '-port', String(dynamoPort)],
    ],
    START_MS,
    // DynamoDB Local writes a file of its own to the current folder.
    { cwd: work, output: { file: join(work, 'dynamodb-local.log') } },
    () => responds(dynamoDb),
  )
  const { AWS_ENDPOINT_URL: _, ...environment } = awsEnvironment(s3)
  return { ...environment, AWS_ENDPOINT_URL_S3: s3, AWS_ENDPOINT_URL_DYNAMODB: dynamoDb }
}

const work = await mkdtemp(join(tmpdir(), 'bucket-engines-'))
const removeWork = () => rm(work, { recursive: true, force: true })
stopOnSignals(removeWork)
const tally = new Tally()
try {
  const env = await startEngines(work)
  await runSuites({ env, work, tally, limit: SUITES_MS, files: SUITES })
} catch (error) {
  if (error instanceof Missing) {
    tally.skip('the engines', error.message)
    process.exitCode = 2
  } else tally.fail('the run', error instanceof Error ? error.message : String(error))
} finally {
  await stopEverything()
  await removeWork()
}
if (tally.failed > 0) process.exitCode = 1
console.log(tally.summary)
