/**
 * A blob as an S3 object: its key, and the metadata that vouches for its digest (invariant I1). The key is readable, so that a
 * listing of the S3 bucket gives the candidates for a rebuilt ledger. It has at most 457 bytes; S3 allows 1,024.
 */

import { BLOB_PREFIX } from '../deployment/tables.ts'
import { digestHex } from '../domain/digest.ts'
import type { BlobId } from '../domain/entry.ts'
import { formatRef } from '../domain/identifiers.ts'

export const blobKey = (blob: BlobId): string =>
  `${BLOB_PREFIX}${formatRef(blob.ref)}/${digestHex(blob.digest)}`

/**
 * User metadata (`x-amz-meta-…`) that holds the hex digest. Only our own writers set it, on objects that become visible after
 * every byte was hashed. It vouches for the digest where S3 keeps no checksum of the whole, as after a multipart upload.
 */
export const DIGEST_METADATA_KEY = 'bucket-sha256'
