/**
 * An upload's attempt as an S3 object: its key in the staging S3 bucket, which is not the one of the blobs. The attempt is in
 * the key, so that nothing late of an earlier attempt can touch a later one. At most 496 bytes long; S3 takes 1,024.
 */

import { STAGING_PREFIX } from '../deployment/tables.ts'
import { digestHex } from '../domain/digest.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { UploadId } from '../domain/upload.ts'
import type { StagedUpload } from '../repository/upload-ports.ts'

export const stagingKey = ({ ref, digest }: UploadId, attempt: string): string =>
  `${STAGING_PREFIX}${formatRef(ref)}/${digestHex(digest)}/${attempt}`

/** S3's id of the multipart upload for this attempt's parts. */
export function multipartId({ stagingId }: Pick<StagedUpload, 'stagingId'>): string {
  if (stagingId === null) throw new Error('an upload in single mode has no parts')
  return stagingId
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html — the SDK does not encode a copy's source. */
export const copySource = (bucket: string, key: string): string =>
  [bucket, ...key.split('/')].map(encodeURIComponent).join('/')
