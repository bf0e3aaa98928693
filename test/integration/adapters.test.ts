/**
 * The contract suites of the ports, and the HTTP contract suite over them, on the S3 and DynamoDB of an emulator. It takes the
 * emulator from AWS_ENDPOINT_URL and makes an S3 bucket and a table of its own. The tables of the real stack have the same
 * keys, which the infra tests assert.
 */
import { DeleteTableCommand } from '@aws-sdk/client-dynamodb'
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll } from 'vitest'
import { blobKey } from '../../lib/aws/blob-object.ts'
import { createDynamoDbLedger } from '../../lib/aws/dynamodb-ledger.ts'
import { createS3BlobStore } from '../../lib/aws/s3-blob-store.ts'
import { LEDGER_KEY } from '../../lib/deployment/tables.ts'
import { digestHex } from '../../lib/domain/digest.ts'
import { formatRef } from '../../lib/domain/identifiers.ts'
import { GIB, LAMBDA_MAX_INLINE_BYTES, MIB, PRESIGNED_SECONDS } from '../../lib/domain/limits.ts'
import { createFullApi } from '../../lib/http/full-api.ts'
import { describeBlobStore } from '../contract/blob-store.ts'
import { describeHttpApi } from '../contract/http/api.ts'
import { pathBelow, type Target } from '../contract/http/target.ts'
import { describeLedger } from '../contract/ledger.ts'
import { fakeBlobStore } from '../support/fake-blob-store.ts'
import { fakeStaging } from '../support/fake-staging.ts'
import { fakeUploads } from '../support/fake-uploads.ts'
import { framingHeaders, headerMap, type RawRequest, type RawResponse } from '../support/raw-http.ts'
import { webHandler } from '../support/web-handler.ts'
import { emulatedStores } from './emulated-stores.ts'

const stores = emulatedStores()
const { endpoint, s3, dynamo, makeBucket } = stores
const makeTable = () => stores.makeTable(LEDGER_KEY)
afterAll(() => stores.close())

const blobStore = (bucket: string, maxBytes = 5 * GIB) =>
  createS3BlobStore({ client: s3, bucket, endpoint, maxBytes })

describeBlobStore('S3', async () => {
  const bucket = await makeBucket()
  return {
    blobs: blobStore(bucket),
    async plant({ ref, digest }, bytes) {
      const Key = `blobs/${formatRef(ref)}/${digestHex(digest)}`
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: bytes }))
    },
    send: ({ method, url, headers }, { headers: more = {}, body } = {}) =>
      fetch(url, { method, headers: { ...headers, ...more }, body: body?.slice() ?? null }),
    passTime: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    close: async () => {},
  }
})

describeLedger('DynamoDB', async () => {
  const table = await makeTable()
  return {
    ledger: createDynamoDbLedger({ client: dynamo, table }),
    reopen: async () => createDynamoDbLedger({ client: stores.openDynamo(), table }),
    close: async () => {
      await dynamo.send(new DeleteTableCommand({ TableName: table }))
    },
  }
})

let target: Target
beforeAll(async () => {
  const limits = { maxInlineBytes: LAMBDA_MAX_INLINE_BYTES, maxArtifactBytes: 8 * MIB }
  const ledger = createDynamoDbLedger({ client: dynamo, table: await makeTable() })
  const bucket = await makeBucket()
  const stores = {
    blobs: blobStore(bucket, limits.maxArtifactBytes),
    ledger,
    health: { ledger },
    // The suite below begins no uploads; upload-adapters.test.ts and the suite on the deployed API cover the adapters of
    // uploads.
    uploads: fakeUploads(),
    staging: fakeStaging({ blobs: fakeBlobStore(), clock: Date.now }),
    queue: { send: () => Promise.reject(new Error('nothing is verified here')) },
    presignedSeconds: PRESIGNED_SECONDS,
    clock: Date.now,
    ...limits,
  }
  const handle = webHandler(createFullApi({ stores, log: () => {} }))
  const root = 'http://bucket.test/v1'
  target = {
    ...limits,
    root,
    front: 'in-process',
    cannotWitness: {
      'raw-path': 'a web-standard Request resolves dot segments before any handler sees them',
    },
    async lose(blob) {
      const Key = blobKey(blob)
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }))
    },
    send: async (request) => rawResponse(await handle(webRequest(root, request))),
    follow: async (url, headers = []) =>
      rawResponse(
        await fetch(url, { headers: new Headers([...headers].map(([name, value]) => [name, value])) }),
      ),
  }
}, 60_000)

describeHttpApi('in process, over S3 and DynamoDB', 'redirect', () => target)

function webRequest(root: string, request: RawRequest): Request {
  const headers = new Headers()
  for (const [name, value] of [...(request.headers ?? []), ...framingHeaders(request)])
    headers.append(name, value)
  const url = new URL(pathBelow(root, request.path), root)
  return new Request(url, { method: request.method, headers, body: request.body?.slice() ?? null })
}

const rawResponse = async (response: Response): Promise<RawResponse> => ({
  status: response.status,
  headers: headerMap(response.headers),
  body: Buffer.from(await response.arrayBuffer()),
})
