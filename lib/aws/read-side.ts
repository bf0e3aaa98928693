/** The blob store and the staging area as the read function sees them: it presigns GETs, looks uploads up, and writes nothing. */

import type { ReceivedPart } from '../domain/upload.ts'
import type { BlobStore } from '../repository/ports.ts'
import type { Staging } from '../repository/upload-ports.ts'
import { presignsGet } from './s3-blob-requests.ts'
import { type LookupAccess, lookUpBlob, lookUpParts } from './s3-lookup.ts'
import type { StoredPart } from './stored-part.ts'

/** `check` has nothing to ask, because fetches need no answer from S3. */
export const createPresignOnlyBlobStore = (access: LookupAccess): BlobStore => ({
  presignGet: presignsGet(access),
  inspect: (blob) => lookUpBlob(access, blob),
  check: async () => {},
  write: refuse,
  read: refuse,
  presignPut: refuse,
})

export const createStagingView = (access: LookupAccess): Staging => ({
  parts: async (upload) => (await lookUpParts(access, upload))?.map(receivedPart),
  begin: refuse,
  presignPart: refuse,
  complete: refuse,
  open: refuse,
  drop: refuse,
})

const receivedPart = ({ number, size, sha256 }: StoredPart): ReceivedPart => ({ number, size, sha256 })

async function refuse(): Promise<never> {
  throw new Error('the read function writes nothing')
}
