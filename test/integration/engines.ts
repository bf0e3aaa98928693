/**
 * `npm run test:engines`: `bucket serve --store aws` on engines of one's own instead of AWS: versitygw for S3, DynamoDB Local for the
 * tables (docs/engines.md). Both listen on loopback and start empty.
 * Exit status: 0 all passed, 1 a test failed, 2 this machine lacks Go, a JDK or Maven.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COUNTS_FILE, type Counts } from './counting-reporter.ts'
import { awsEnvironment, freePort, PROJECT } from './emulator.ts'
import { stopOnSignals } from './emulators.ts'
import { Missing } from './find-python.ts'
import { installed, keyOf } from './install-cache.ts'
import { gatewayArguments, installVersityGateway, need } from './install-versitygw.ts'
import { run, serve, stopEverything } from './processes.ts'

const LOCALSTACK = join(PROJECT, 'test', 'localstack')
const INSTALL_MS = 600_000
const START_MS = 60_000
const SUITES_MS = 600_000
const SUITES = ['serve-aws.test.ts', 'audit.test.ts']

async function installDynamoDbLocal(work: string): Promise<string> {
  const sources = [join(LOCALSTACK, 'pom.xml'), join(LOCALSTACK, 'LoopbackDynamoDB.java')]
  return installed(`dynamodb-local-${await keyOf(sources)}`, async (folder) => {
    await need('javac', '-version')
    await need('mvn', '-version')
    console.log('installing DynamoDB Local (about a minute, once)')
    const options = { output: { file: join(work, 'dynamodb.log') } }
    const copy = ['-q', '-B', '-f', join(LOCALSTACK, 'pom.xml'), 'dependency:copy-dependencies']
    await run('mvn', [...copy, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`], INSTALL_MS, options)
    const source = join(LOCALSTACK, 'LoopbackDynamoDB.java')
    await run('javac', ['-cp', join(folder, '*'), '-d', folder, source], INSTALL_MS, options)
  })
}

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
let summary: string
try {
  const env = await startEngines(work)
  const vitest = join(PROJECT, 'node_modules', 'vitest', 'vitest.mjs')
  const files = SUITES.map((name) => join('test', 'integration', name))
  const args = [vitest, 'run', '--config', join(PROJECT, 'vitest.integration.config.ts'), ...files]
  const counts = join(work, 'counts.json')
  const options = { cwd: PROJECT, env: { ...env, [COUNTS_FILE]: counts }, output: 'inherit' } as const
  // A failed test is counted; a run that did not reach its end is a failure of its own.
  await run(process.execPath, args, SUITES_MS, options).catch((error: unknown) => {
    if (!existsSync(counts)) throw error
  })
  const { passed, failed, skipped }: Counts = JSON.parse(readFileSync(counts, 'utf8'))
  if (failed > 0) process.exitCode = 1
  summary = `${passed} passed, ${failed} failed, ${skipped.length} skipped`
} catch (error) {
  const isMissing = error instanceof Missing
  process.exitCode = isMissing ? 2 : 1
  console.log(isMissing ? `skipped: ${error.message}` : String(error))
  summary = isMissing ? '0 passed, 0 failed, 1 skipped' : '0 passed, 1 failed, 0 skipped'
} finally {
  await stopEverything()
  await removeWork()
}
console.log(summary)
