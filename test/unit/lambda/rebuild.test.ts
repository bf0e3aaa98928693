/** A ledger that is lost altogether is rebuilt from the blobs, with all that uploaders said, however they stored. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeMetadata } from '../../../lib/aws/blob-metadata.ts'
import { createS3Client, LAMBDA_BLOB_LIMITS } from '../../../lib/aws/clients.ts'
import { createDynamoDbLedger } from '../../../lib/aws/dynamodb-ledger.ts'
import { inspectBlob } from '../../../lib/aws/operator/deployed-stores.ts'
import { repairLedger } from '../../../lib/aws/operator/repair-ledger.ts'
import { DESCRIPTION, type Description } from '../../../lib/domain/description.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { descriptionHeaders, encodeDescription } from '../../../lib/protocol/description.ts'
import { described } from '../../support/described.ts'
import { useLambdas } from './lambdas.ts'

const lambdas = useLambdas()
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-rebuild-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const bytes = Buffer.from('hello')
const hex = createHash('sha256').update(bytes).digest('hex')
const digest = `sha256:${hex}`
const parameters = (version: string) => ({ bucket_id: 'b', artifact_id: 'a', version, digest })
const json = (body: unknown) => ({
  headers: { 'Content-Type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
})
const answerOf = async (request: Parameters<typeof lambdas.send>[0]) =>
  JSON.parse((await lambdas.send(request)).body)
const put = ({ url, headers }: { url: string; headers: Record<string, string> }) =>
  fetch(url, { method: 'PUT', headers, body: bytes })

const WAYS: Readonly<Record<string, (version: string, description: Description) => Promise<unknown>>> = {
  'in one request': (version, description) =>
    lambdas.send({
      route: 'store',
      parameters: parameters(version),
      headers: { ...descriptionHeaders(description), 'X-Artifact-Digest': digest },
      body: bytes,
    }),
  'by an upload in single mode': async (version, description) => {
    const of = { parameters: parameters(version) }
    const terms = json({ size: bytes.byteLength, mode: 'single', ...encodeDescription(description) })
    await put((await answerOf({ route: 'beginUpload', ...of, ...terms })).request)
    return lambdas.send({ route: 'commitUpload', ...of })
  },
  'by an upload in parts': async (version, description) => {
    const of = { parameters: parameters(version) }
    const terms = json({ size: bytes.byteLength, mode: 'multipart', ...encodeDescription(description) })
    await lambdas.send({ route: 'beginUpload', ...of, ...terms })
    const parts = json({ parts: [{ number: 1, sha256: hex }] })
    await put((await answerOf({ route: 'presignParts', ...of, ...parts })).parts[0].request)
    await lambdas.send({ route: 'commitUpload', ...of })
    return lambdas.deliver()
  },
}

const DESCRIPTIONS = {
  full: described({
    contentType: 'text/x-model; charset=utf-8',
    uploadedBy: 'ci "nightly" \\ =?UTF-8?Q?x?=',
    provenanceSource: 'https://example.com/run/7?a=b&c=%20',
  }),
  empty: described(),
}

test.each(
  Object.keys(WAYS).flatMap((way) =>
    (Object.keys(DESCRIPTIONS) as (keyof typeof DESCRIPTIONS)[]).map((which) => [way, which] as const),
  ),
)('an artifact stored %s with the %s description', async (way, which) => {
  const { aws } = lambdas
  await WAYS[way]?.('v1', DESCRIPTIONS[which])
  const clients = {
    s3: createS3Client({ endpoint: aws.url }, LAMBDA_BLOB_LIMITS),
    ledger: createDynamoDbLedger({ client: new DynamoDBClient({}), table: 'ledger' }),
  }
  const ref = parseRef('b/a/v1')
  const stored = await clients.ledger.find(ref)
  expect(stored).toMatchObject(DESCRIPTIONS[which])

  aws.rows.clear()
  const keys = [...aws.objects.keys()].map((path) => path.replace(/^\/?blobs\//, ''))
  async function* blobs() {
    for (const key of keys) yield { key, size: bytes.byteLength, lastModified: new Date() }
  }
  async function* entries() {}
  await repairLedger({
    ...{ entries: entries(), blobs: blobs(), folder, ledger: clients.ledger },
    inspect: (key) => inspectBlob(clients.s3, 'blobs', key),
    report: () => undefined,
  })
  const rebuilt = await clients.ledger.find(ref)
  expect(rebuilt).toEqual({ ...stored, createdAt: expect.any(String) })
  expect(Math.abs(Date.parse(rebuilt?.createdAt ?? '') - Date.parse(stored?.createdAt ?? ''))).toBeLessThan(
    60_000,
  )
})

test('the longest description fits into the user metadata of an object', () => {
  const longest = described({
    uploadedBy: '"'.repeat(DESCRIPTION.uploadedBy.maxLength),
    provenanceSource: '"'.repeat(DESCRIPTION.provenanceSource.maxLength),
  })
  const metadata = {
    ...encodeMetadata(longest),
    'bucket-stored-at': new Date(0).toISOString(),
    'bucket-sha256': hex,
  }
  const size = Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  expect(size).toBeLessThanOrEqual(2048)
})
