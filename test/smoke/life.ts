/** The life of one artifact: stored, found, fetched, refused a second time, and still there at the next run. */
import { digestHex, parseDigest } from '../../lib/domain/digest.ts'
import { isBucketError } from '../../lib/domain/errors.ts'
import { artifactRef } from '../../lib/domain/refs.ts'
import { entryPath, versionPath, versionsPath } from '../../lib/protocol/routes.ts'
import { header } from '../support/raw-http.ts'
import {
  type Deployment,
  digestOf,
  expectProblem,
  expectStatus,
  freshId,
  jsonOf,
  sha256,
} from './deployment.ts'
import { expectSame, expectThat, NotShown, type Report } from './report.ts'

const CONTRACT = 'docs/http-api.md'

export async function checkLife(at: Deployment, report: Report): Promise<void> {
  const ref = artifactRef({ bucketId: at.bucketId, artifactId: freshId('life'), version: 'v1' })
  const bytes = Buffer.from(Array.from({ length: 1021 }, (_, index) => (index * 7) % 256))
  const digest = digestOf(bytes)
  const put = (body: Uint8Array, declared: string, of = ref) =>
    at.send({
      method: 'PUT',
      path: versionPath(of),
      headers: [
        ['Content-Type', 'application/x-smoke'],
        ['X-Artifact-Digest', declared],
        ['X-Uploaded-By', 'smoke-test'],
      ],
      body,
    })

  await report.check(
    'GET health',
    'the function’s log, and whether its role reaches both stores',
    async () => {
      const response = await at.send({ method: 'GET', path: '/v1/health' })
      expectStatus(response, 200)
      expectThat(Boolean(header(response, 'X-Request-Id')), 'X-Request-Id on every answer', 'none')
    },
  )
  await report.check(
    'a store is 201 with the entry',
    `${CONTRACT}, section 4; the write function’s log`,
    async () => {
      const response = await put(bytes, digest)
      expectStatus(response, 201)
      const { size, content_type, uploaded_by, ...entry } = jsonOf(response)
      expectSame('the entry', [entry.digest, size], [digest, bytes.length])
      expectSame('its description', [content_type, uploaded_by], ['application/x-smoke', 'smoke-test'])
      expectSame('ETag', header(response, 'ETag'), `"${digest}"`)
      expectThat(Boolean(header(response, 'X-Request-Id')), 'X-Request-Id', 'none')
    },
  )
  await report.check('the same bytes again are 409, identical', `${CONTRACT}, section 4`, async () =>
    expectSame('conflict', expectProblem(await put(bytes, digest), 'version_exists').conflict, 'identical'),
  )
  await report.check('other bytes are 409, different', `${CONTRACT}, section 4`, async () => {
    const other = Buffer.from('other bytes')
    expectSame(
      'conflict',
      expectProblem(await put(other, digestOf(other)), 'version_exists').conflict,
      'different',
    )
  })
  await report.check(
    'bytes of another digest are 400, and nothing is visible',
    'binary media types of the API',
    async () => {
      const of = artifactRef({ ...ref, version: 'wrong-digest' })
      expectProblem(await put(bytes, digestOf(Buffer.from('declared')), of), 'digest_mismatch')
      expectProblem(await at.send({ method: 'GET', path: entryPath(of) }), 'version_not_found')
    },
  )
  await report.check(
    'the client fetches the bytes, verified',
    'S3 permissions of the read role',
    async () => {
      const chunks: Uint8Array[] = []
      for await (const chunk of await at.client.get(ref, { digest })) chunks.push(chunk)
      expectSame('their SHA-256', sha256(Buffer.concat(chunks)), sha256(bytes))
    },
  )
  await report.check('the entry equals the response of the store', `${CONTRACT}, section 3`, async () => {
    const entry = await at.client.entry(ref)
    expectSame('digest and size', [entry.digest, entry.size], [digest, bytes.length])
  })
  await report.check('the list contains it', `${CONTRACT}, section 6`, async () => {
    const versions: string[] = []
    for await (const entry of at.client.listVersions(ref)) versions.push(entry.ref.version)
    expectSame('versions', versions, ['v1'])
    const none = await at.send({
      method: 'GET',
      path: versionsPath({
        ...ref,
        artifactId: artifactRef({ ...ref, artifactId: freshId('none') }).artifactId,
      }),
    })
    expectSame('versions of nothing', jsonOf(none).versions, [])
  })
  const head = () => at.send({ method: 'HEAD', path: versionPath(ref) })
  await report.check('HEAD returns digest and size', `${CONTRACT}, section 5`, async () => {
    const response = await head()
    expectStatus(response, 200)
    expectSame('X-Artifact-Digest', header(response, 'X-Artifact-Digest'), digest)
    expectSame('X-Artifact-Size', header(response, 'X-Artifact-Size'), String(bytes.length))
    expectSame('ETag', header(response, 'ETag'), `"${digest}"`)
  })
  await report.check(
    'HEAD keeps Content-Length',
    'nothing: the contract promises X-Artifact-Size only',
    async () => {
      const length = header(await head(), 'Content-Length')
      if (length !== String(bytes.length))
        throw new NotShown(`the way to this front makes it ${length ?? 'absent'}; X-Artifact-Size has it`)
    },
  )
  await report.check(
    'a fetch answers If-None-Match with 304, ?digest= of others with 412',
    `${CONTRACT}, section 5`,
    async () => {
      const path = versionPath(ref)
      expectStatus(await at.send({ method: 'GET', path, headers: [['If-None-Match', `"${digest}"`]] }), 304)
      const other = encodeURIComponent(digestOf(Buffer.from('other')))
      expectProblem(await at.send({ method: 'GET', path: `${path}?digest=${other}` }), 'digest_differs')
    },
  )
  await report.check(
    'what is not stored is 404',
    `${CONTRACT}, section 8`,
    async () =>
      void expectProblem(
        await at.send({ method: 'GET', path: versionPath(artifactRef({ ...ref, version: 'none' })) }),
        'version_not_found',
      ),
  )
  await report.check(
    'DELETE is 405 with Allow',
    'ANY methods of the API (lib/infra/api-routes.ts)',
    async () => {
      const response = await at.send({ method: 'DELETE', path: versionPath(ref) })
      expectProblem(response, 'method_not_allowed')
      expectThat(
        (header(response, 'Allow') ?? '').includes('PUT'),
        'Allow with PUT',
        header(response, 'Allow') ?? 'none',
      )
    },
  )
  await report.check(
    'an unknown path is our 404',
    '{proxy+} of the API (lib/infra/api-routes.ts)',
    async () =>
      void expectProblem(await at.send({ method: 'GET', path: '/v1/no/such/route' }), 'route_not_found'),
  )
  await report.check('header names in any case', 'how the function reads an event’s headers', async () => {
    const of = artifactRef({ ...ref, version: 'header-case' })
    const response = await at.send({
      method: 'PUT',
      path: versionPath(of),
      headers: [
        ['x-ARTIFACT-digest', digest],
        ['X-PROVENANCE-source', 'smoke test, headers'],
        ['CONTENT-type', 'application/x-smoke'],
      ],
      body: bytes,
    })
    expectStatus(response, 201)
    expectSame('provenance_source', jsonOf(response).provenance_source, 'smoke test, headers')
  })
}

/** Fixed bytes under a fixed name: bytes that an earlier run stored must still be there, unchanged. */
export async function checkMemory(at: Deployment, report: Report): Promise<void> {
  const ref = `${at.bucketId}/kept/v1`
  const bytes = Buffer.from('what an earlier run of the smoke test stored is still there\n')
  const started = Date.now()
  await report.check('the artifact of earlier runs is unchanged', 'npm run audit', async () => {
    const { created, entry } = await at.client
      .put(ref, bytes, { uploadedBy: 'smoke-test' })
      .catch((error) => {
        // Only a run of this test stores under this name, so other bytes are an error.
        if (!isBucketError(error, 'version_exists')) throw error
        const { stored } = error.details
        throw new NotShown(`${ref} has other bytes (${stored.digest}): use another --bucket-id`)
      })
    const digest = parseDigest(digestOf(bytes))
    expectThat(
      digest.ok && entry.digest === digest.value && digestHex(entry.digest) === sha256(bytes),
      digestOf(bytes),
      entry,
    )
    if (created)
      throw new NotShown('this was the first run with this --bucket-id: run it again, now or next year')
    const chunks: Uint8Array[] = []
    for await (const chunk of await at.client.get(ref)) chunks.push(chunk)
    expectSame('its bytes', Buffer.concat(chunks).toString(), bytes.toString())
    expectThat(Date.parse(entry.createdAt) <= started, 'a time before this run', entry.createdAt)
    return `stored ${entry.createdAt}`
  })
}
