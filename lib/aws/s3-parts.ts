/** Lists the parts of an upload with an S3 client. */
import { ListPartsCommand, type S3Client } from '@aws-sdk/client-s3'
import type { StagedUpload } from '../repository/upload-ports.ts'
import { isUploadGone } from './s3-errors.ts'
import { failed } from './sdk-failure.ts'
import { multipartId, stagingKey } from './staged-object.ts'
import { readAllParts, type StoredPart, storedPart } from './stored-part.ts'

/** @returns all parts, by number; undefined if S3 has no such multipart upload (any more). */
export const listParts = (
  client: S3Client,
  bucket: string,
  upload: StagedUpload,
): Promise<readonly StoredPart[] | undefined> =>
  readAllParts(async (after) => {
    const command = new ListPartsCommand({
      Bucket: bucket,
      Key: stagingKey(upload.id, upload.attempt),
      UploadId: multipartId(upload),
      ...(after === undefined ? {} : { PartNumberMarker: after }),
    })
    const page = await client
      .send(command)
      .catch((error) => (isUploadGone(error) ? undefined : failed('the parts could not be listed')(error)))
    if (!page) return undefined
    return {
      parts: (page.Parts ?? []).map(storedPart),
      next: page.IsTruncated ? page.NextPartNumberMarker : undefined,
    }
  })
