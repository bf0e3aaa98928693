/** The stores as the read function sees them: it presigns GETs and looks uploads up, without an S3 client. */
import type { BlobInspector, FetchPresigner } from '../repository/ports.ts'
import type { StagingReader } from '../repository/upload-ports.ts'
import { presignsGet } from './s3-blob-requests.ts'
import { type LookupAccess, lookUpBlob, lookUpParts } from './s3-lookup.ts'
import { receivedPart } from './stored-part.ts'

export type PresignOnlyBlobStore = FetchPresigner & BlobInspector

export const createPresignOnlyBlobStore = (access: LookupAccess): PresignOnlyBlobStore => ({
  presignGet: presignsGet(access),
  inspect: (blob) => lookUpBlob(access, blob),
})

export const createStagingReader = (access: LookupAccess): StagingReader => ({
  parts: async (upload) => (await lookUpParts(access, upload))?.map(receivedPart),
})
