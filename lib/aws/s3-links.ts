/** Presigned GETs of blobs, and the blob store of a process that has nothing else to do with blobs. */
import { ARTIFACT_CACHE_CONTROL, contentDisposition } from '../protocol/headers.ts'
import type { BlobId, BlobState, BlobStore } from '../repository/ports.ts'
import { blobKey } from './blob-object.ts'
import { presign, type SignedAccess } from './s3-presign.ts'
import { callSigned } from './s3-signed-call.ts'

/** @returns the port's `presignGet`; the URL dies with the credentials that signed it, if those end earlier. */
export const createLinks =
  (access: SignedAccess): BlobStore['presignGet'] =>
  async (entry, seconds) => {
    const query = {
      'response-cache-control': ARTIFACT_CACHE_CONTROL,
      'response-content-disposition': contentDisposition(entry.ref),
      'response-content-type': entry.contentType,
      'x-id': 'GetObject',
    }
    const request = { method: 'GET', key: blobKey(entry), query, headers: {} } as const
    return { method: 'GET', headers: {}, ...(await presign(access, request, seconds)) }
  }

/**
 * The blob store of the read side: it has no S3 client, hands out links, and may write nothing.
 * Its `check` has nothing to ask, for fetches need nothing of S3.
 */
export const createLinkStore = (access: SignedAccess): BlobStore => ({
  presignGet: createLinks(access),
  inspect: (blob) => inspect(access, blob),
  check: async () => {},
  write: refuse,
  read: refuse,
  presignPut: refuse,
})

/**
 * Whether the bytes of an open upload have arrived, for whoever looks at it. The read role has no `s3:ListBucket`, by design,
 * and without it S3 answers 403 for a key that is missing: here, and only here, that means "not received". Nothing rests on it,
 * for what is committed is inspected by the write side, which can tell the two apart. Nor is anything attested here.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
 */
async function inspect(access: SignedAccess, blob: BlobId): Promise<BlobState> {
  const request = { method: 'HEAD', key: blobKey(blob), query: {}, headers: {} } as const
  const answer = await callSigned(access, request, 'the blob could not be inspected', [403, 404])
  return answer.status === 200
    ? { found: true, size: Number(answer.headers.get('content-length') ?? 0), attested: false }
    : { found: false }
}

async function refuse(): Promise<never> {
  throw new Error('this process only hands out links to blobs')
}
