/**
 * A blob as an S3 object: its key, and the mark of invariant I1. The key is readable, so that a listing of the S3 bucket
 * gives the candidates for a rebuilt ledger. At most 457 bytes long; S3 takes 1,024.
 */

import { BLOB_PREFIX } from '../deployment/tables.ts'
import { digestHex } from '../domain/digest.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { BlobId } from '../repository/ports.ts'

export const blobKey = (blob: BlobId): string =>
  `${BLOB_PREFIX}${formatRef(blob.ref)}/${digestHex(blob.digest)}`

/**
 * User metadata (`x-amz-meta-…`) that only our own writers set, on objects that come into being only after every byte was
 * hashed. Where S3 keeps no checksum of the whole, as after a multipart upload, the mark vouches for the digest.
 */
export const MARK = 'bucket-sha256'
