/**
 * `bucket serve --store aws` as a real process on the S3 and DynamoDB of an emulator: the HTTP contract, two independent
 * replicas, and bodies that are not buffered.
 */
import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LEDGER_KEY, UPLOADS_KEY } from '../../lib/deployment/tables.ts'
import { MIB } from '../../lib/domain/limits.ts'
import { describeHttpApi } from '../contract/http/api.ts'
import { expectInvisible, freshRef, json, put, versionPath } from '../contract/http/requests.ts'
import { socketTarget, type Target } from '../contract/http/target.ts'
import { describeUploadApi } from '../contract/http/uploads.ts'
import { type Served, serveWith } from '../support/served-folder.ts'
import { emulatedStores } from './emulated-stores.ts'

/** Small enough for the tests of limits, and large enough for an upload in two parts. */
const LIMITS = { small: MIB, parts: 80 * MIB, large: 512 * MIB } as const
type Limit = keyof typeof LIMITS

const stores = emulatedStores()
const servers: Served[] = []
const targets: Partial<Record<Limit | 'replica', Target>> = {}
let blobBucket: string

async function serve(limit: Limit, options: readonly string[]): Promise<Target> {
  const bytes = LIMITS[limit]
  const server = await serveWith([...options, '--max-artifact-bytes', String(bytes)])
  servers.push(server)
  return socketTarget({
    root: server.url,
    front: 'node-server',
    maxInlineBytes: bytes,
    maxArtifactBytes: bytes,
    cannotWitness: {},
  })
}

beforeAll(async () => {
  blobBucket = await stores.makeBucket()
  const options = [
    ...['--store', 'aws', '--region', 'us-east-1'],
    ...['--blob-bucket', blobBucket, '--staging-bucket', await stores.makeBucket()],
    ...['--ledger-table', await stores.makeTable(LEDGER_KEY)],
    ...['--uploads-table', await stores.makeTable(UPLOADS_KEY)],
  ]
  for (const limit of ['small', 'parts', 'large'] as const) targets[limit] = await serve(limit, options)
  targets.replica = await serve('large', options)
}, 120_000)

afterAll(async () => {
  const exits = await Promise.all(servers.map((server) => server.stop()))
  stores.close()
  expect(exits).toEqual(servers.map(() => 0))
})

function target(name: Limit | 'replica'): Target {
  const found = targets[name]
  if (!found) throw new Error('the servers run only inside of tests')
  return found
}

describeHttpApi('bucket serve --store aws', 'redirect', () => target('small'))
describeUploadApi('bucket serve --store aws', () => target('parts'))

describe('two replicas', () => {
  it('race on one ref: exactly one 201, and all others get the winner’s entry', async () => {
    const ref = freshRef()
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, at) => put(target(at % 2 ? 'large' : 'replica'), ref, `writer ${at}`)),
    )
    const winners = answers.filter(({ status }) => status === 201)
    expect(winners).toHaveLength(1)
    const entry = winners.map(json)[0]
    for (const answer of answers)
      if (answer.status !== 201) expect([answer.status, json(answer)]).toMatchObject([409, { stored: entry }])
  })

  it('see at once the artifacts that the other one stored', async () => {
    const ref = freshRef()
    expect((await put(target('large'), ref, 'from one')).status).toBe(201)
    const response = await target('replica').send({ method: 'GET', path: `${versionPath(ref)}/entry` })
    expect(response.status).toBe(200)
  })
})

const block = Buffer.alloc(MIB, 'a block of bytes that is not all the same. ')
/** Blocks that begin with their own number, so that all differ. */
function* blocks(count: number): Generator<Buffer> {
  for (let at = 0; at < count; at += 1) {
    const next = Buffer.from(block)
    next.writeUInt32BE(at)
    yield next
  }
}

function digestOf(bytes: Iterable<Buffer>): string {
  const hash = createHash('sha256')
  for (const chunk of bytes) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

/** Streams a body, and returns the server's response. */
function stream(url: string, digest: string, bytes: Iterable<Buffer>, size: number) {
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const outgoing = request(url, {
      method: 'PUT',
      headers: { 'X-Artifact-Digest': digest, 'Content-Length': size },
    })
    outgoing.on('error', reject).on('response', async (response) => {
      resolve({ status: response.statusCode, body: Buffer.concat(await response.toArray()).toString() })
    })
    pipeline(Readable.from(bytes), outgoing).catch(reject)
  })
}

describe('a large body', { timeout: 120_000 }, () => {
  const BLOCKS = 192
  const urlOf = (path: string) => `${target('large').root}${path.slice('/v1'.length)}`

  it('is verified on the way to S3, with server memory that does not grow with it', async () => {
    const server = servers[2]
    if (!server) throw new Error('the server runs only inside of tests')
    const before = server.peakMemory()
    const digest = digestOf(blocks(BLOCKS))
    const ref = freshRef()
    const url = urlOf(versionPath(ref))
    expect(await stream(url, digest, blocks(BLOCKS), BLOCKS * MIB)).toMatchObject({ status: 201 })
    const back = createHash('sha256')
    for await (const chunk of (await fetch(url)).body ?? []) back.update(chunk)
    expect(`sha256:${back.digest('hex')}`).toBe(digest)
    expect(server.peakMemory() - before).toBeLessThan(BLOCKS * 0.75)
  })

  it('that differs in its last byte is a 400, and leaves nothing in S3: no object, no parts', async () => {
    const count = 24
    const ref = freshRef()
    const bytes = [...blocks(count)]
    const digest = digestOf(bytes)
    bytes[count - 1]?.writeUInt8(0, MIB - 1)
    const answer = await stream(urlOf(versionPath(ref)), digest, bytes, count * MIB)
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([400, { code: 'digest_mismatch' }])
    await expectInvisible(target('large'), ref)
    const Prefix = `blobs/${ref.bucketId}/`
    const { Contents = [] } = await stores.s3.send(new ListObjectsV2Command({ Bucket: blobBucket, Prefix }))
    const { Uploads = [] } = await stores.s3.send(
      new ListMultipartUploadsCommand({ Bucket: blobBucket, Prefix }),
    )
    expect([Contents, Uploads]).toEqual([[], []])
  })
})
