/**
 * The policies of the S3 buckets of a real account, asked with the credentials of the environment. The checks mean something only for
 * an administrator, whose own rights would allow what the policies must deny. They store and delete nothing: every request must fail.
 */
import { randomUUID } from 'node:crypto'
import {
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { createS3Client, SERVER_BLOB_LIMITS } from '../../lib/aws/clients.ts'
import { stackOutputs } from '../../lib/aws/operator/stack-outputs.ts'
import { hasStatus } from '../../lib/aws/s3-errors.ts'
import { presign } from '../../lib/aws/s3-presign.ts'
import { endpointsIn } from '../../lib/deployment/environment.ts'
import { BLOB_PREFIX, STAGING_PREFIX } from '../../lib/deployment/tables.ts'
import { PRESIGNED_SECONDS } from '../../lib/domain/limits.ts'
import { type Deployment, expectStatus } from './deployment.ts'
import { NotShown, type Report, Unexpected } from './report.ts'

const POLICY = 'the policy of the S3 bucket (lib/infra/blob-storage.ts, lib/infra/private-bucket.ts)'

export async function checkAccount(at: Deployment, report: Report, stack: string | undefined): Promise<void> {
  if (stack === undefined) {
    report.skip('the policies of the S3 buckets', 'give --stack, and the credentials of an administrator')
    return
  }
  const { all: endpoint } = endpointsIn(process.env)
  const outputs = await report.check(`the outputs of the stack ${stack}`, 'the name, and the region', () =>
    stackOutputs(stack, { endpoint }),
  )
  const blobs = outputs?.get('BlobBucketName')
  const staging = outputs?.get('StagingBucketName')
  if (blobs === undefined || staging === undefined) return
  const s3 = createS3Client({ endpoint: endpointsIn(process.env).s3 }, SERVER_BLOB_LIMITS)
  try {
    await checkPolicies(at, report, s3, { blobs, staging })
  } finally {
    s3.destroy()
  }
}

async function checkPolicies(
  at: Deployment,
  report: Report,
  s3: S3Client,
  { blobs, staging }: { readonly blobs: string; readonly staging: string },
): Promise<void> {
  const Key = `${BLOB_PREFIX}smoke/policy/${randomUUID()}/none`
  const denied: Readonly<Record<string, () => Promise<unknown>>> = {
    'an administrator cannot plant a blob': () =>
      s3.send(new PutObjectCommand({ Bucket: blobs, Key, Body: 'planted', IfNoneMatch: '*' })),
    'an administrator cannot delete a blob': () => s3.send(new DeleteObjectCommand({ Bucket: blobs, Key })),
    // The same value as before, in case the policy lets it pass.
    'an administrator cannot change the versioning of the blobs': () =>
      s3.send(
        new PutBucketVersioningCommand({ Bucket: blobs, VersioningConfiguration: { Status: 'Enabled' } }),
      ),
  }
  const emulated = () => {
    if (at.isEmulated) throw new NotShown('an emulator obeys no bucket policy')
  }
  for (const [what, send] of Object.entries(denied))
    await report.check(what, POLICY, async () => {
      emulated()
      const outcome = await send().then(
        () => 'success',
        (error: unknown) => (hasStatus(error, 403) ? undefined : String(error)),
      )
      if (outcome !== undefined) throw new Unexpected('403', outcome)
    })
  for (const [bucket, key] of [
    [blobs, Key],
    [staging, `${STAGING_PREFIX}smoke/policy/none`],
  ] as const)
    await report.check(
      `a presigned request that is older than its lifetime gets 403 from ${bucket}`,
      POLICY,
      async () => {
        emulated()
        const request = { method: 'GET', key, query: {}, headers: {} } as const
        const signedAt = Date.now() - 2 * PRESIGNED_SECONDS * 1000
        const old = { bucket, signing: s3.config, clock: () => signedAt }
        // The signature itself is valid for a day, so only the policy can refuse it.
        const { url } = await presign(old, request, 86_400)
        const response = await at.follow({ method: 'GET', url, headers: {} })
        expectStatus(response, 403)
        const { url: fresh } = await presign({ bucket, signing: s3.config }, request, 60)
        // The key does not exist, so an administrator sees 404 with a fresh signature.
        expectStatus(await at.follow({ method: 'GET', url: fresh, headers: {} }), 404)
      },
    )
}
