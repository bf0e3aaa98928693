/**
 * The S3 bucket for the parts of uploads, apart from that of the blobs: there nothing may be deleted, here everything expires.
 * It has no versions and no locks, which would keep what is to go. Nothing in it is ever visible to a reader.
 */
import { Duration } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { STAGING_PREFIX } from '../deployment/tables.ts'
import { UPLOAD_SECONDS } from '../domain/limits.ts'
import { storeFromPages } from './cross-origin.ts'
import { PrivateBucket } from './private-bucket.ts'
import type { Settings } from './settings.ts'

/** Two days longer than an upload lives from its commit on, so that no verification that is still tried finds its bytes gone. */
const LIFETIME = Duration.seconds(UPLOAD_SECONDS).plus(Duration.days(2))

export interface StagingStorageProps {
  readonly settings: Settings
  /** Of the customer; the service's own where there is none. */
  readonly key: IKey | undefined
}

/** The S3 bucket of what uploads have staged, in the region of that of the blobs, so that copies stay inside of S3. */
export class StagingStorage extends Construct {
  readonly bucket: PrivateBucket
  /** The ARN pattern of all that is staged: the roles reach nothing else in the S3 bucket. */
  readonly stagedArn: string

  constructor(scope: Construct, id: string, { settings, key }: StagingStorageProps) {
    super(scope, id)
    this.bucket = new PrivateBucket(this, 'Bucket', {
      key,
      versioned: false,
      // It stays behind when its stack is deleted, as CloudFormation deletes no S3 bucket that holds something, and empties itself.
      lifecycleRules: [
        {
          id: 'expire-everything',
          expiration: LIFETIME,
          abortIncompleteMultipartUploadAfter: LIFETIME,
        },
      ],
      cors: storeFromPages(settings),
    })
    this.stagedArn = this.bucket.arnForObjects(`${STAGING_PREFIX}*`)
  }
}
