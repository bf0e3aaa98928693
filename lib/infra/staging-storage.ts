/**
 * The S3 bucket for the parts of uploads. It is separate from the blobs, because everything in it expires.
 * It has no versions and no locks, which would prevent expiry. Readers never see its contents.
 */
import { Duration } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { STAGING_PREFIX } from '../deployment/tables.ts'
import { UPLOAD_SECONDS } from '../domain/limits.ts'
import { storeFromPages } from './cross-origin.ts'
import { PrivateBucket } from './private-bucket.ts'
import type { Settings } from './settings.ts'

/** Two days longer than an upload lives after its commit, so that a retried verification still finds its bytes. */
const LIFETIME = Duration.seconds(UPLOAD_SECONDS).plus(Duration.days(2))

export interface StagingStorageProps {
  readonly settings: Settings
  /** Customer-managed; undefined means the key that AWS manages. */
  readonly key: IKey | undefined
}

/** The S3 bucket of staged objects, in the same region as the blobs, so that copies stay inside S3. */
export class StagingStorage extends Construct {
  readonly storage: PrivateBucket
  /** The ARN pattern of all staged objects. The roles can access nothing else in the S3 bucket. */
  readonly stagedArn: string

  constructor(scope: Construct, id: string, { settings, key }: StagingStorageProps) {
    super(scope, id)
    this.storage = new PrivateBucket(this, 'Bucket', {
      settings,
      key,
      created: {
        versioned: false,
        // CloudFormation cannot delete a bucket that contains objects, so it stays when its stack is deleted. Its objects expire.
        lifecycleRules: [
          {
            id: 'expire-everything',
            expiration: LIFETIME,
            abortIncompleteMultipartUploadAfter: LIFETIME,
          },
        ],
        cors: storeFromPages(settings),
      },
    })
    this.stagedArn = this.storage.bucket.arnForObjects(`${STAGING_PREFIX}*`)
  }
}
