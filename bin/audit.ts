/**
 * `npm run audit`: compares the ledger of a deployment with its blobs and changes nothing; `--repair-ledger --write` appends the rows
 * that a restored ledger lacks. One line for each finding, then the sums.
 * Exit status 0: every entry has its blob, or every reference its row. 1: not every one. 2: the command failed.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createDynamoDbClient, createS3Client, SERVER_BLOB_LIMITS } from '../lib/aws/clients.ts'
import { createDynamoDbLedger } from '../lib/aws/dynamodb-ledger.ts'
import { audit, type Finding, isSound, type Summary } from '../lib/aws/operator/audit.ts'
import { inspectBlob, listBlobs, scanLedger } from '../lib/aws/operator/deployed-stores.ts'
import {
  isRepaired,
  type Repair,
  type RepairSummary,
  repairLedger,
} from '../lib/aws/operator/repair-ledger.ts'
import { stackOutputs } from '../lib/aws/operator/stack-outputs.ts'
import { CLI_ENVIRONMENT, endpointsIn } from '../lib/deployment/environment.ts'
import { GIB } from '../lib/domain/limits.ts'

const USAGE = `npm run -s audit -- --stack NAME | --blob-bucket NAME --ledger-table NAME [options]

  --stack NAME               a deployed stack, whose outputs name the S3 bucket and the table
  --blob-bucket NAME         env: ${CLI_ENVIRONMENT.blobBucket}
  --ledger-table NAME        env: ${CLI_ENVIRONMENT.ledgerTable}
  --region NAME              default: the region of the AWS SDK
  --min-age-days N           blobs without an entry that are younger are counted separately (default: 14)
  --usd-per-gb-month PRICE   of a GB (2^30 bytes) in S3 for a month (default: 0.023, Standard in us-east-1)
  --repair-ledger            list the blobs whose references have no row, instead of the audit
  --write                    with --repair-ledger: append the missing rows
  --json                     each line is a JSON document: findings, then the summary

Needs s3:ListBucket on the S3 bucket and dynamodb:Scan on the table; with --stack also cloudformation:DescribeStacks; with
--repair-ledger also s3:GetObject on the blobs, and to --write also dynamodb:PutItem.`

class Misused extends Error {}

interface Settings {
  readonly stack: string | undefined
  readonly blobBucket: string | undefined
  readonly ledgerTable: string | undefined
  readonly region: string | undefined
  readonly minAgeDays: number
  readonly usdPerGbMonth: number
  readonly repairLedger: boolean
  readonly write: boolean
  readonly json: boolean
}

function readSettings(args: readonly string[]): Settings {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ stack: text, 'blob-bucket': text, 'ledger-table': text, region: text },
      'min-age-days': { ...text, default: '14' },
      'usd-per-gb-month': { ...text, default: '0.023' },
      'repair-ledger': { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const amount = (name: 'min-age-days' | 'usd-per-gb-month') => {
    const value = values[name]
    if (!/^\d+(\.\d+)?$/.test(value)) throw new Misused(`--${name} ${value} is not a number`)
    return Number(value)
  }
  const fromEnvironment = (name: string) => (values.stack ? undefined : process.env[name] || undefined)
  const settings = {
    stack: values.stack,
    blobBucket: values['blob-bucket'] ?? fromEnvironment(CLI_ENVIRONMENT.blobBucket),
    ledgerTable: values['ledger-table'] ?? fromEnvironment(CLI_ENVIRONMENT.ledgerTable),
    region: values.region,
    minAgeDays: amount('min-age-days'),
    usdPerGbMonth: amount('usd-per-gb-month'),
    repairLedger: values['repair-ledger'],
    write: values.write,
    json: values.json,
  }
  if (settings.write && !settings.repairLedger) throw new Misused('--write needs --repair-ledger')
  if (settings.stack === undefined && (!settings.blobBucket || !settings.ledgerTable))
    throw new Misused('name the deployment: --stack, or --blob-bucket and --ledger-table')
  return settings
}

/** @returns whether the deployment is sound. */
async function run(settings: Settings): Promise<boolean> {
  const { region } = settings
  const endpoints = endpointsIn(process.env)
  const s3 = createS3Client({ region, endpoint: endpoints.s3 }, SERVER_BLOB_LIMITS)
  const dynamoDb = createDynamoDbClient({ region }, SERVER_BLOB_LIMITS)
  const outputs = settings.stack
    ? await stackOutputs(settings.stack, { region, endpoint: endpoints.all })
    : new Map<string, string>()
  const named = (given: string | undefined, output: string) => {
    const name = given ?? outputs.get(output)
    if (name === undefined) throw new Misused(`the stack ${settings.stack} has no output ${output}`)
    return name
  }
  const blobBucket = named(settings.blobBucket, 'BlobBucketName')
  const ledgerTable = named(settings.ledgerTable, 'LedgerTableName')
  const folder = await mkdtemp(join(tmpdir(), 'bucket-audit-'))
  try {
    const stores = {
      entries: scanLedger(dynamoDb, ledgerTable),
      blobs: listBlobs(s3, blobBucket),
      folder,
    }
    if (settings.repairLedger) {
      const repaired = await repairLedger({
        ...stores,
        inspect: (key) => inspectBlob(s3, blobBucket, key),
        ledger: settings.write ? createDynamoDbLedger({ client: dynamoDb, table: ledgerTable }) : undefined,
        report: (repair) =>
          printLine(settings.json ? JSON.stringify(repair) : repairLine(repair, settings.write)),
      })
      printRepairs(repaired, settings)
      return isRepaired(repaired)
    }
    const summary = await audit({
      ...stores,
      youngFrom: new Date(Date.now() - settings.minAgeDays * 86_400_000),
      report: (finding) => printLine(settings.json ? JSON.stringify(finding) : lineOf(finding)),
    })
    printSummary(summary, settings)
    return isSound(summary)
  } finally {
    await rm(folder, { recursive: true, force: true })
    s3.destroy()
    dynamoDb.destroy()
  }
}

const printLine = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

function lineOf(finding: Finding): string {
  const { key } = finding
  switch (finding.finding) {
    case 'unreferenced':
      return `unreferenced  ${key}  ${finding.size} bytes`
    case 'missing':
      return `MISSING       ${key}  its entry has ${finding.size} bytes`
    case 'wrong_size':
      return `WRONG SIZE    ${key}  ${finding.stored_size} bytes, its entry has ${finding.size}`
    case 'ambiguous':
      return `ambiguous     ${key}  ${finding.blobs} blobs`
    case 'foreign':
      return `foreign       ${key}  ${finding.size} bytes`
  }
}

function repairLine({ repair, key }: Repair, isWritten: boolean): string {
  switch (repair) {
    case 'append':
      return `${isWritten ? 'appended' : 'missing row'}  ${key}`
    case 'exists':
      return `row exists now  ${key}`
    case 'ambiguous':
      return `AMBIGUOUS  ${key}  other blobs of this reference have no row either`
    case 'unproven':
      return `UNPROVEN  ${key}  S3 does not vouch for its digest: hash it first`
    case 'foreign':
      return `foreign  ${key}`
  }
}

function printRepairs(summary: RepairSummary, { json, write }: Settings): void {
  const { append, exists, ambiguous, unproven, foreign } = summary
  printLine(
    json
      ? JSON.stringify({ ...summary, written: write, repaired: isRepaired(summary) })
      : [
          `${append} rows ${write ? 'appended' : 'missing: append them with --write'}`,
          `${ambiguous} ambiguous blobs, ${unproven} unproven blobs, ${foreign} foreign keys, ${exists} rows created meanwhile`,
        ].join('\n'),
  )
}

function printSummary(summary: Summary, { json, minAgeDays, usdPerGbMonth }: Settings): void {
  const { entries, blobs, unreferenced, recent, missing, wrong_size, ambiguous, foreign } = summary
  const usd = Number(((unreferenced.bytes / GIB) * usdPerGbMonth).toFixed(4))
  if (json) {
    printLine(JSON.stringify({ ...summary, sound: isSound(summary), unreferenced_usd_per_month: usd }))
    return
  }
  printLine(
    [
      `${entries.count} entries, ${entries.bytes} bytes; ${blobs.count} blobs, ${blobs.bytes} bytes`,
      `${unreferenced.count} unreferenced blobs, ${unreferenced.bytes} bytes: ${usd} USD a month`,
      `${recent.count} more blobs without an entry are younger than ${minAgeDays} days, ${recent.bytes} bytes`,
      `${ambiguous} references with several blobs, ${foreign} foreign keys`,
      isSound(summary)
        ? 'every entry has its blob'
        : `DAMAGED: ${missing} entries without a blob, ${wrong_size} blobs of another size than their entry (docs/operations.md#backup-and-restore)`,
    ].join('\n'),
  )
}

const withCauses = (error: unknown): string =>
  error instanceof Error
    ? `${error.message}${error.cause === undefined ? '' : ` (${withCauses(error.cause)})`}`
    : String(error)

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
try {
  const settings = readSettings(process.argv.slice(2))
  process.exitCode = (await run(settings)) ? 0 : 1
} catch (error) {
  const isUsage = error instanceof Misused || (error instanceof TypeError && 'code' in error)
  process.stderr.write(`error: ${withCauses(error)}\n${isUsage ? `\n${USAGE}\n` : ''}`)
  process.exitCode = 2
}
