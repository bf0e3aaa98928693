/**
 * Identifiers with every character that a proxy or gateway may rewrite in a path: each spelling must lead to the same artifact.
 */
import { artifactRef } from '../../lib/domain/refs.ts'
import { type Deployment, digestOf, expectStatus, freshId, jsonOf } from './deployment.ts'
import { expectSame, type Report } from './report.ts'

const WHERE = 'the raw path in the function’s event (lib/http/lambda.ts); the encoding that was signed'

export async function checkIdentifiers(at: Deployment, report: Report): Promise<void> {
  const ref = artifactRef({
    bucketId: at.bucketId,
    artifactId: freshId('a+b:c._d'),
    version: 'v1.0+cu124:fp8-x',
  })
  const bytes = Buffer.from('plus and colon')
  const path = (write: (id: string) => string) =>
    `/v1/buckets/${write(ref.bucketId)}/artifacts/${write(ref.artifactId)}/versions/${write(ref.version)}`
  const asIs = (id: string) => id
  const upper = encodeURIComponent
  const lower = (id: string) => upper(id).replace(/%../g, (code) => code.toLowerCase())
  const encodedLetter = (id: string) =>
    id.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)

  await report.check('+ and : in identifiers survive a store', WHERE, async () => {
    const response = await at.send({
      method: 'PUT',
      path: path(asIs),
      headers: [
        ['X-Artifact-Digest', digestOf(bytes)],
        ['Content-Type', 'text/plain'],
      ],
      body: bytes,
    })
    expectStatus(response, 201)
    const { bucket_id, artifact_id, version } = jsonOf(response)
    expectSame(
      'the identifiers',
      [bucket_id, artifact_id, version],
      [ref.bucketId, ref.artifactId, ref.version],
    )
  })
  for (const [form, write] of Object.entries({
    'as they are': asIs,
    '%2B and %3A': upper,
    '%2b and %3a': lower,
  }))
    await report.check(`the same artifact by identifiers ${form}`, WHERE, async () => {
      const response = await at.send({ method: 'GET', path: `${path(write)}/entry` })
      expectStatus(response, 200)
      expectSame('the version', jsonOf(response).version, ref.version)
    })
  await report.check('an encoded letter is refused, or means the letter', WHERE, async () => {
    const response = await at.send({ method: 'GET', path: `${path(encodedLetter)}/entry` })
    // A gateway that decodes the path hides the spelling from Bucket, which refuses it where it can see it.
    if (response.status === 200) expectSame('the version', jsonOf(response).version, ref.version)
    else expectStatus(response, 400)
  })
  await report.check(
    'bytes under such a name, from the store itself',
    'the key in presigned URLs (lib/aws/s3-blob-requests.ts)',
    async () => {
      const chunks: Uint8Array[] = []
      for await (const chunk of await at.client.get(ref)) chunks.push(chunk)
      expectSame('the bytes', Buffer.concat(chunks).toString(), bytes.toString())
    },
  )
}
