/**
 * Presigned GETs, signed here instead of by the SDK's presigner: the read Lambda then carries no S3 client, and makes no
 * S3 call. What the URL says is what the SDK would say, byte for byte; a test holds the two together.
 */
import { AwsV4Signer } from 'aws4fetch'
import type { Entry } from '#protocol/entry'
import { ARTIFACT_CACHE_CONTROL, contentDisposition } from '#protocol/headers'
import type { BlobStore, Clock } from '#repository/ports'
import { blobKey } from './blob-object.ts'

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** What an SDK client has resolved for itself: `client.config` fits. */
export interface Signing {
  readonly region: () => Promise<string>
  readonly credentials: () => Promise<Credentials>
}

export interface LinkOptions {
  readonly bucket: string
  readonly signing: Signing
  /** An endpoint that stands in for S3. */
  readonly endpoint?: string | undefined
  readonly clock?: Clock
}

/** @returns the port's `presignGet`; the URL dies with the credentials that signed it, if those end earlier. */
export function createLinks({
  bucket,
  signing,
  endpoint,
  clock = Date.now,
}: LinkOptions): BlobStore['presignGet'] {
  return async (entry, seconds) => {
    const [region, credentials] = await Promise.all([signing.region(), signing.credentials()])
    const signedAt = wholeSecond(clock())
    const signer = new AwsV4Signer({
      method: 'GET',
      url: unsignedUrl(bucketUrl(bucket, region, endpoint), entry, seconds),
      service: 's3',
      region,
      signQuery: true,
      datetime: new Date(signedAt).toISOString().replace(/[:-]|\.\d{3}/g, ''),
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
      ...(credentials.sessionToken === undefined ? {} : { sessionToken: credentials.sessionToken }),
    })
    const { url } = await signer.sign()
    return {
      method: 'GET',
      // URLSearchParams writes a space as +, which only forms read as one.
      url: url.href.replaceAll('+', '%20'),
      headers: {},
      expiresAt: new Date(signedAt + seconds * 1000).toISOString(),
    }
  }
}

/** A signature's time has no fraction of a second. */
export const wholeSecond = (milliseconds: number): number => Math.floor(milliseconds / 1000) * 1000

function unsignedUrl(base: string, entry: Entry, seconds: number): string {
  const path = blobKey(entry).split('/').map(encodeURIComponent).join('/')
  const query = new URLSearchParams({
    'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
    'X-Amz-Expires': String(seconds),
    'response-cache-control': ARTIFACT_CACHE_CONTROL,
    'response-content-disposition': contentDisposition(entry.ref),
    'response-content-type': entry.contentType,
    'x-id': 'GetObject',
  })
  return `${base}/${path}?${query}`
}

/**
 * Where an S3 bucket is. A name with a dot fits no certificate as a host, and stand-ins know only paths.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
function bucketUrl(bucket: string, region: string, endpoint: string | undefined): string {
  if (endpoint !== undefined) return `${endpoint.replace(/\/$/, '')}/${bucket}`
  const domain = `s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
  return bucket.includes('.') ? `https://${domain}/${bucket}` : `https://${bucket}.${domain}`
}

/**
 * The blob store of a process that only hands out links: it has no S3 client, makes no S3 call and may write nothing.
 * Its `check` has nothing to ask, for such a process needs nothing of S3.
 */
export const createLinkStore = (options: LinkOptions): BlobStore => ({
  presignGet: createLinks(options),
  check: async () => {},
  write: refuse,
  inspect: refuse,
  read: refuse,
  presignPut: refuse,
})

async function refuse(): Promise<never> {
  throw new Error('this process only hands out links to blobs')
}
