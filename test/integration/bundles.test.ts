/**
 * The Lambda bundles as they are deployed, under the Node of the Lambda runtime, called with events of an API Gateway REST API,
 * over the stand-in for S3 and DynamoDB. The tests follow the bytes through event, bundle and SDK.
 */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LAMBDA_ENVIRONMENT } from '../../lib/deployment/environment.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../../lib/domain/limits.ts'
import { HEADERS } from '../../lib/protocol/headers.ts'
import { ROUTES } from '../../lib/protocol/routes.ts'
import { type AwsStandIn, startAwsStandIn } from '../support/aws-stand-in.ts'
import { type GatewayRequest, gatewayEvent, MAX_EVENT_BYTES } from '../support/gateway-event.ts'
import { lambdaEnvironment } from '../support/lambda-environment.ts'
import { type Bundle, buildBundle, type LambdaProcess, startLambda } from '../support/lambda-process.ts'

let node: string
let aws: AwsStandIn
const bundles: Record<string, Bundle> = {}
const lambdas: Record<string, LambdaProcess> = {}

beforeAll(async () => {
  // npm has Node as a package; npm's cache keeps it after the first download.
  const { stdout } = await promisify(execFile)('npx', [
    '-y',
    '-p',
    'node@24',
    'node',
    '-p',
    'process.execPath',
  ])
  node = stdout.trim()
  aws = await startAwsStandIn()
  for (const access of ['read', 'write'] as const) {
    bundles[access] = await buildBundle(access)
    lambdas[access] = await startLambda(node, bundles[access], lambdaEnvironment(aws.url))
  }
}, 120_000)
afterAll(async () => {
  for (const lambda of Object.values(lambdas)) await lambda.stop()
  for (const bundle of Object.values(bundles)) await bundle.remove()
  await aws?.close()
})
beforeEach(() => aws.reset())

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const parameters = { bucket_id: 'prod-models', artifact_id: 'llama_3.8b+lora:x', version: 'v3.1.0+a' }
const store = (body: Uint8Array, over: Partial<GatewayRequest> = {}): GatewayRequest => ({
  route: 'store',
  parameters,
  headers: { [HEADERS.artifactDigest]: digestOf(body) },
  body,
  ...over,
})
const lambdaOf = (request: GatewayRequest): LambdaProcess => {
  const lambda = lambdas[ROUTES[request.route].access]
  if (!lambda) throw new Error('the Lambda processes run only inside of tests')
  return lambda
}
const send = (request: GatewayRequest) => lambdaOf(request).invoke(gatewayEvent(request))
const storedBytes = () => [...aws.objects.values()][0]?.bytes

test('the bundles run under the Node of the Lambda runtime, alone in their folder', () => {
  for (const lambda of Object.values(lambdas)) expect(lambda.nodeVersion).toMatch(/^v24\./)
})

test.each([
  ['read', 331_000],
  ['write', 546_000],
])('the %s bundle stays below %d bytes', (access, limit) => {
  expect(bundles[access]?.size).toBeLessThan(limit)
})

test('the read bundle has no S3 client, and both bundles leave out the modules that Lambda never loads', () => {
  expect(bundles.read?.modules.filter((name) => name.includes('client-s3'))).toEqual([])
  for (const { modules } of Object.values(bundles))
    expect(modules.filter((name) => /credential-provider-(ini|sso|process)|bowser/.test(name))).toEqual([])
})

describe('bodies', () => {
  test('every byte value arrives unchanged', async () => {
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, at) => at % 256))
    expect((await send(store(bytes))).statusCode).toBe(201)
    expect(storedBytes()).toEqual(bytes)
  })

  test('random bytes of odd lengths arrive unchanged', async () => {
    for (const size of [0, 1, 2, 3, 1021, 65_537]) {
      aws.reset()
      const bytes = randomBytes(size)
      expect((await send(store(bytes))).statusCode).toBe(201)
      expect(storedBytes()?.equals(bytes)).toBe(true)
    }
  })

  test('a body that the event holds as text arrives as its UTF-8 bytes', async () => {
    const bytes = Buffer.from('{"loss": 0.25, "note": "größer – ✓ 𝛼"}\r\n\u0000')
    expect((await send(store(bytes, { encoding: 'text' }))).statusCode).toBe(201)
    expect(storedBytes()).toEqual(bytes)
  })

  test('text that looks like base64 is not decoded', async () => {
    const bytes = Buffer.from('aGVsbG8=')
    expect((await send(store(bytes, { encoding: 'text' }))).statusCode).toBe(201)
    expect(storedBytes()).toEqual(bytes)
  })

  test('bytes with another digest are refused and not stored', async () => {
    const headers = { [HEADERS.artifactDigest]: digestOf(Buffer.from('hello')) }
    const { statusCode, body } = await send(store(Buffer.from('hello\n'), { headers }))
    expect(statusCode).toBe(400)
    expect(JSON.parse(body)).toMatchObject({ code: 'digest_mismatch', size: 6 })
    expect(aws.objects.size + aws.rows.size).toBe(0)
  })
})

describe('the largest bodies', () => {
  test('4 MiB are stored', async () => {
    const bytes = randomBytes(LAMBDA_MAX_INLINE_BYTES)
    const request = store(bytes)
    expect(JSON.stringify(gatewayEvent(request)).length).toBeLessThan(MAX_EVENT_BYTES)
    expect((await send(request)).statusCode).toBe(201)
    expect(storedBytes()?.equals(bytes)).toBe(true)
  })

  test('one byte more is refused with a problem document that says how to continue', async () => {
    const { statusCode, body } = await send(store(randomBytes(LAMBDA_MAX_INLINE_BYTES + 1)))
    expect(statusCode).toBe(413)
    expect(JSON.parse(body)).toMatchObject({
      code: 'inline_too_large',
      size: LAMBDA_MAX_INLINE_BYTES + 1,
      max_inline_bytes: LAMBDA_MAX_INLINE_BYTES,
    })
  })

  test('the largest event that Lambda accepts gets a response', async () => {
    const empty = JSON.stringify(gatewayEvent(store(Buffer.alloc(0)))).length
    const bytes = randomBytes(Math.floor((MAX_EVENT_BYTES - empty) / 4) * 3 - 6)
    const event = gatewayEvent(store(bytes))
    const text = JSON.stringify(event).padEnd(MAX_EVENT_BYTES)
    expect(Buffer.byteLength(text)).toBe(MAX_EVENT_BYTES)
    const answer = await lambdaOf(store(bytes)).invoke(text)
    expect(answer.statusCode).toBe(413)
    expect(JSON.parse(answer.body)).toMatchObject({ size: bytes.byteLength })
  })
})

describe('names', () => {
  test.each([
    HEADERS.artifactDigest.toLowerCase(),
    HEADERS.artifactDigest.toUpperCase(),
    'x-ARTIFACT-digest',
  ])('the header %s is read in any case', async (name) => {
    const bytes = Buffer.from('hello')
    expect((await send(store(bytes, { headers: { [name]: digestOf(bytes) } }))).statusCode).toBe(201)
  })

  test('identifiers with reserved characters are unchanged in messages and encoded in paths', async () => {
    const { statusCode, headers, body } = await send(store(Buffer.from('hello')))
    expect(statusCode).toBe(201)
    expect(JSON.parse(body)).toMatchObject(parameters)
    expect(headers?.Location).toBe(
      '/v1/buckets/prod-models/artifacts/llama_3.8b%2Blora%3Ax/versions/v3.1.0%2Ba',
    )
    expect([...aws.objects.keys()][0]).toContain('/llama_3.8b+lora:x/v3.1.0+a/')
  })

  test.each(['a%2Bb', 'a%2Fb', 'a/b', '..', '%'])(
    '%s is not decoded a second time, so it is an invalid identifier',
    async (version) => {
      const request = store(Buffer.from('hello'), { parameters: { ...parameters, version } })
      const { statusCode, body } = await send(request)
      expect(statusCode).toBe(400)
      expect(JSON.parse(body)).toMatchObject({ code: 'invalid_request' })
      expect(aws.calls).toEqual([])
    },
  )
})

describe('reading what was stored', () => {
  const bytes = Buffer.from('hello')
  beforeEach(async () => {
    await send(store(bytes))
    aws.calls.length = 0
  })

  test('a fetch redirects to a URL that serves the bytes, without a call to S3', async () => {
    const { statusCode, headers } = await send({ route: 'fetch', parameters })
    expect(statusCode).toBe(307)
    expect(aws.operations()).toEqual(['GetItem'])
    const response = await fetch(String(headers?.Location))
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes)
  })

  test('HEAD, entry, download and list read only the ledger', async () => {
    const { bucket_id, artifact_id } = parameters
    const requests: GatewayRequest[] = [
      { route: 'head', parameters },
      { route: 'entry', parameters },
      { route: 'download', parameters, query: { digest: [digestOf(bytes)] } },
      { route: 'listVersions', parameters: { bucket_id, artifact_id }, query: { limit: ['1'] } },
    ]
    for (const request of requests) expect((await send(request)).statusCode).toBe(200)
    expect(aws.operations()).toEqual(['GetItem', 'GetItem', 'GetItem', 'Query'])
  })

  test('each operation is one line of JSON without signatures, tokens or bytes', async () => {
    const before = lambdas.read?.output() ?? ''
    await send({ route: 'download', parameters })
    const lines = () => (lambdas.read?.output() ?? '').slice(before.length).trim().split('\n')
    await expect.poll(lines).toHaveLength(1)
    expect(JSON.parse(lines()[0] ?? '')).toMatchObject({ operation: 'download', status: 200 })
    expect(lines()[0]).not.toMatch(/X-Amz|Signature|session|hello/i)
  })
})

test('a function with an incomplete environment does not start, and names every missing variable', async () => {
  const { read } = bundles
  if (!read) throw new Error('the bundles are built before')
  const start = startLambda(node, read, {
    AWS_REGION: 'eu-west-1',
    [LAMBDA_ENVIRONMENT.maxArtifactBytes]: '5 GiB',
  })
  await expect(start).rejects.toThrow(
    'BUCKET_BLOB_BUCKET is not set; BUCKET_STAGING_BUCKET is not set; BUCKET_LEDGER_TABLE is not set; BUCKET_UPLOADS_TABLE is not set; BUCKET_MAX_ARTIFACT_BYTES is "5 GiB", not a number of bytes; BUCKET_PRESIGNED_SECONDS is not set; BUCKET_SERVICE_NAME is not set',
  )
})
