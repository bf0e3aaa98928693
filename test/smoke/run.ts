/**
 * `npm run smoke -- --url https://…/v1`: a short black-box check of a real deployment, for promises that no emulator can show.
 * The artifacts that it stores are permanent, as all artifacts are. Exit status 0: no failure; 1: at least one failure; 2:
 * invalid usage.
 */
import { parseArgs } from 'node:util'
import { readAuth } from '../../lib/cli/connection.ts'
import { UsageError } from '../../lib/cli/failure.ts'
import { CLI_ENVIRONMENT } from '../../lib/deployment/environment.ts'
import { parseBucketId } from '../../lib/domain/identifiers.ts'
import { checkAccount } from './account.ts'
import { openDeployment } from './deployment.ts'
import { checkBodies, checkStrangers } from './gateway.ts'
import { checkIdentifiers } from './identifiers.ts'
import { checkLife, checkMemory } from './life.ts'
import { Report } from './report.ts'
import { checkDownload, checkMultipartUpload, checkSingleUpload } from './store.ts'

const env = CLI_ENVIRONMENT
const USAGE = `npm run smoke -- --url https://…/v1 [options]

  --url URL          root of the API (env: ${env.url})
  --auth KIND        none, iam, bearer or api-key (env: ${env.auth}; default: iam for an execute-api address, else none);
                     the token comes from ${env.token}, the region of iam from the address or ${env.awsRegion};
                     the key in ${env.apiKey}, where that is set, is sent with each of them
  --stack NAME       also checks the policies of this stack's S3 buckets, with the AWS credentials of an administrator
  --bucket-id NAME   for its artifacts, about 20 MiB per run, which are permanent (default: smoke)`

function readSettings() {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: { url: text, auth: text, stack: text, 'bucket-id': { ...text, default: 'smoke' } },
  })
  const url = values.url ?? process.env[env.url]
  if (!url || !URL.canParse(url))
    throw new UsageError('--url is missing or invalid', 'Give the root of the API.', 'Invalid address')
  const bucketId = parseBucketId(values['bucket-id'])
  if (!bucketId.ok)
    throw new UsageError(`--bucket-id ${bucketId.error}`, 'Choose another.', 'Invalid bucket_id')
  return {
    url,
    auth: readAuth(
      values.auth ?? (process.env[env.auth] || undefined),
      process.env,
      process.env[env.awsRegion] || process.env[env.awsDefaultRegion],
    ),
    apiKey: process.env[env.apiKey] || undefined,
    bucketId: bucketId.value,
    stack: values.stack,
  }
}

async function run(): Promise<boolean> {
  const { url, auth, apiKey, bucketId, stack } = readSettings()
  console.log(
    `Checking ${url}. This stores about 20 MiB permanently, under the bucket_id ${bucketId} (--bucket-id chooses another).`,
  )
  const report = new Report()
  const at = await report.check('the API describes itself', 'the address, and --auth', () =>
    openDeployment(url, auth, apiKey, bucketId),
  )
  if (at) {
    await checkLife(at, report)
    await checkIdentifiers(at, report)
    await checkStrangers(at, report)
    await checkBodies(at, report)
    await checkDownload(at, report)
    await checkSingleUpload(at, report)
    await checkMultipartUpload(at, report)
    await checkAccount(at, report, stack)
    await checkMemory(at, report)
  }
  console.log(report.summary)
  return report.isGood
}

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
try {
  process.exitCode = (await run()) ? 0 : 1
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error)
  if (!isUsage) throw error
  const next = error instanceof UsageError ? `\n  next: ${error.next}` : ''
  process.stderr.write(`error: ${error.message}${next}\n\n${USAGE}\n`)
  process.exitCode = 2
}
