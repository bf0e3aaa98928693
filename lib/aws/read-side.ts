/** The stores as the read function sees them: it presigns GETs and looks uploads up, without an S3 client. */
import type { BlobInspector, FetchPresigner, HealthCheck } from '../repository/ports.ts'
import type { StagingReader } from '../repository/upload-ports.ts'
import { presignsGet } from './s3-blob-requests.ts'
import { type LookupAccess, lookUpBlob, lookUpParts } from './s3-lookup.ts'
import { receivedPart } from './stored-part.ts'

export type PresignOnlyBlobStore = FetchPresigner & BlobInspector & HealthCheck

/** `check` has nothing to ask, because fetches need no answer from S3. */
export const createPresignOnlyBlobStore = (access: LookupAccess): PresignOnlyBlobStore => ({
  presignGet: presignsGet(access),
  inspect: (blob) => lookUpBlob(access, blob),
  check: async () => {},
})

export const createStagingReader = (access: LookupAccess): StagingReader => ({
  parts: async (upload) => (await lookUpParts(access, upload))?.map(receivedPart),
})
