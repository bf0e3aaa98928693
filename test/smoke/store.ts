/** The store's responses to presigned requests: their bytes do not pass through our own code. */

import { setTimeout as pause } from 'node:timers/promises'
import { type Digest, parseDigest } from '../../lib/domain/digest.ts'
import type { ArtifactRef } from '../../lib/domain/identifiers.ts'
import { artifactRef } from '../../lib/domain/refs.ts'
import type { DownloadMessage, UploadMessage, UploadPartsMessage } from '../../lib/protocol/messages.ts'
import {
  commitPath,
  downloadPath,
  uploadPartsPath,
  uploadPath,
  versionPath,
} from '../../lib/protocol/routes.ts'
import { header, type RawResponse } from '../support/raw-http.ts'
import {
  type Deployment,
  digestOf,
  expectProblem,
  expectStatus,
  freshId,
  jsonOf,
  sha256,
} from './deployment.ts'
import { expectSame, expectThat, NotShown, type Report, Unexpected } from './report.ts'

const SIGNING =
  'the signed headers (lib/aws/s3-presign.ts), the policy of the S3 bucket (lib/infra/blob-storage.ts)'
const VERIFY_MS = 300_000

export async function checkDownload(at: Deployment, report: Report): Promise<void> {
  const ref = artifactRef({ bucketId: at.bucketId, artifactId: freshId('download'), version: 'v1' })
  const bytes = Buffer.from('bytes of a URL')
  await at.client.put(ref, bytes, { contentType: 'text/x-smoke' }).catch(() => undefined) // the next check reports it
  const where = async () => {
    const response = await at.send({ method: 'GET', path: downloadPath(ref) })
    expectStatus(response, 200)
    return jsonOf(response) as unknown as DownloadMessage
  }
  const open = ({ method, url, headers }: DownloadMessage, more: Record<string, string> = {}) => {
    // A server that sends the bytes itself names a path of its own, which is requested in the same way.
    if (url.startsWith('/'))
      return at.send({ method, path: url, headers: Object.entries({ ...headers, ...more }) })
    return at.follow({ method, url, headers: { ...headers, ...more } })
  }
  await report.check(
    'the URL of a download gives the bytes, and the headers that were stored',
    SIGNING,
    async () => {
      const response = await open(await where())
      expectStatus(response, 200)
      expectSame('the bytes', response.body.toString(), bytes.toString())
      expectSame('Content-Type', header(response, 'Content-Type'), 'text/x-smoke')
      expectSame('Content-Length', header(response, 'Content-Length'), String(bytes.length))
      expectThat(
        (header(response, 'Content-Disposition') ?? '').includes(`filename="${ref.artifactId}-v1"`),
        'Content-Disposition with the name',
        header(response, 'Content-Disposition') ?? 'none',
      )
    },
  )
  await report.check('it serves ranges', SIGNING, async () => {
    const response = await open(await where(), { Range: 'bytes=6-11' })
    expectStatus(response, 206)
    expectSame('the range', response.body.toString(), bytes.subarray(6, 12).toString())
  })
  await report.check('a redirecting fetch leads to the bytes', SIGNING, async () => {
    const response = await at.send({ method: 'GET', path: versionPath(ref) })
    const location = header(response, 'Location')
    if (response.status === 200) throw new NotShown('this front gives the bytes itself')
    expectStatus(response, 307)
    const answer = await at.follow({ method: 'GET', url: location ?? '', headers: {} })
    expectStatus(answer, 200)
    expectSame('the bytes', answer.body.toString(), bytes.toString())
  })
  await report.check(
    'without its signature the URL opens nothing',
    'public access block of the S3 bucket',
    async () => {
      const { url } = await where()
      if (url.startsWith('/')) throw new NotShown('this front gives the bytes itself')
      if (at.isEmulated) throw new NotShown('an emulator lets everybody read')
      const response = await at.follow({ method: 'GET', url: url.replace(/\?.*$/s, ''), headers: {} })
      expectStatus(response, 403)
    },
  )
}

interface UploadOf {
  readonly ref: ArtifactRef
  readonly digest: Digest
}

const parsedDigest = (bytes: Uint8Array): Digest => {
  const digest = parseDigest(digestOf(bytes))
  if (!digest.ok) throw new Error(digest.error)
  return digest.value
}

const jsonHeaders = [['Content-Type', 'application/json']] as const

async function begin(at: Deployment, { ref, digest }: UploadOf, size: number, mode: 'single' | 'multipart') {
  const response = await at.send({
    method: 'PUT',
    path: uploadPath(ref, digest),
    headers: jsonHeaders,
    body: Buffer.from(JSON.stringify({ size, mode })),
  })
  expectStatus(response, 201)
  return jsonOf(response) as unknown as UploadMessage
}

const commit = (at: Deployment, { ref, digest }: UploadOf): Promise<RawResponse> =>
  at.send({ method: 'POST', path: commitPath(ref, digest) })

const sent = (response: RawResponse): number => response.status

export async function checkSingleUpload(at: Deployment, report: Report): Promise<void> {
  const bytes = Buffer.from('bytes of an upload in single mode')
  const of: UploadOf = {
    ref: artifactRef({ bucketId: at.bucketId, artifactId: freshId('single'), version: 'v1' }),
    digest: parsedDigest(bytes),
  }
  const request = await report.check(
    'an upload in single mode begins',
    'the write function’s log',
    async () => {
      const { request } = await begin(at, of, bytes.length, 'single')
      if (!request) throw new Unexpected('an upload with a request', 'none')
      return request
    },
  )
  if (!request) return
  const send = (body: Uint8Array, headers: Record<string, string> = {}) =>
    at.follow({ ...request, headers: { ...request.headers, ...headers }, body })
  await report.check('the store refuses other bytes of that length', SIGNING, async () => {
    const response = await send(Buffer.from(bytes.toString().toUpperCase()))
    expectStatus(response, 400)
  })
  await report.check(
    'the store refuses another length, and a checksum that was not signed',
    SIGNING,
    async () => {
      const other = Buffer.from('other bytes')
      const checksum = Buffer.from(sha256(other), 'hex').toString('base64')
      const forged = { 'content-length': String(other.length), 'x-amz-checksum-sha256': checksum }
      expectStatus(await send(other, forged), 400, 403)
    },
  )
  await report.check(
    'a commit before the bytes is 409, and names nothing as stored',
    'docs/http-api.md, section 7',
    async () => void expectProblem(await commit(at, of), 'upload_incomplete'),
  )
  await report.check('the store takes the right bytes', SIGNING, async () =>
    expectStatus(await send(bytes), 200, 201, 204),
  )
  await report.check('the store refuses a second object under a final key', SIGNING, async () => {
    expectSame('the status', sent(await send(bytes)), 412)
  })
  await report.check('a PUT without If-None-Match is refused', SIGNING, async () => {
    const { 'if-none-match': _, ...headers } = request.headers
    expectStatus(await at.follow({ ...request, headers, body: bytes }), 400, 403, 412)
  })
  await report.check(
    'commit is 201 at once, and again 200',
    'ChecksumType of the object: S3 must attest FULL_OBJECT',
    async () => {
      expectStatus(await commit(at, of), 201)
      expectStatus(await commit(at, of), 200)
    },
  )
  await report.check('its bytes come back, verified', SIGNING, async () => {
    const chunks: Uint8Array[] = []
    for await (const chunk of await at.client.get(of.ref)) chunks.push(chunk)
    expectSame('the bytes', Buffer.concat(chunks).toString(), bytes.toString())
  })
}

export async function checkMultipartUpload(at: Deployment, report: Report): Promise<void> {
  const bytes = Buffer.alloc(16 * 1024 * 1024 + 1000, 'bytes of an upload in two parts ')
  const of: UploadOf = {
    ref: artifactRef({ bucketId: at.bucketId, artifactId: freshId('multipart'), version: 'v1' }),
    digest: parsedDigest(bytes),
  }
  const partSize = await report.check('an upload in parts begins', 'the write function’s log', async () => {
    const { part_size, part_count } = await begin(at, of, bytes.length, 'multipart')
    expectSame('part_count', part_count, 2)
    return part_size
  })
  if (partSize === undefined) return
  const parts = [bytes.subarray(0, partSize), bytes.subarray(partSize)]
  const requests = await report.check('requests for its parts', 'the write function’s log', async () => {
    const response = await at.send({
      method: 'POST',
      path: uploadPartsPath(of.ref, of.digest),
      headers: jsonHeaders,
      body: Buffer.from(
        JSON.stringify({ parts: parts.map((part, index) => ({ number: index + 1, sha256: sha256(part) })) }),
      ),
    })
    expectStatus(response, 200)
    return (jsonOf(response) as unknown as UploadPartsMessage).parts
  })
  if (!requests) return
  await report.check('the store refuses other bytes of a part', SIGNING, async () => {
    const [first] = requests
    const [body] = parts
    if (!first || !body) throw new Unexpected('two parts', requests.length.toString())
    expectStatus(await at.follow({ ...first.request, body: Buffer.alloc(body.length, 'other') }), 400)
  })
  await report.check('the store takes its parts', SIGNING, async () => {
    for (const { number, request } of requests) {
      const body = parts[number - 1]
      if (!body) throw new Unexpected('parts 1 and 2', String(number))
      expectStatus(await at.follow({ ...request, body }), 200, 201, 204)
    }
  })
  await report.check(
    'commit verifies it in full, and then it is visible',
    'VerifyLogGroup; UploadPartCopy under the policy of the S3 bucket',
    async () => {
      const started = Date.now()
      expectStatus(await commit(at, of), 201, 202)
      for (;;) {
        const upload = jsonOf(await at.send({ method: 'GET', path: uploadPath(of.ref, of.digest) }))
        if (upload.state === 'committed') break
        if (upload.state !== 'verifying' || Date.now() - started > VERIFY_MS)
          throw new Unexpected(`committed within ${VERIFY_MS / 1000} s`, JSON.stringify(upload))
        await pause(500)
      }
      return `${((Date.now() - started) / 1000).toFixed(1)} s for ${bytes.length} bytes`
    },
  )
  await report.check('its bytes come back, verified', SIGNING, async () => {
    let size = 0
    for await (const chunk of await at.client.get(of.ref, { digest: of.digest })) size += chunk.byteLength
    expectSame('the size', size, bytes.length)
  })
}
