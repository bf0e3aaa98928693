/**
 * Requests to S3 that carry their signature in the URL, signed here instead of by the SDK's presigner: the read Lambda then
 * carries no S3 client, and a hundred requests for parts cost no hundred middleware stacks. What a URL says is what the SDK
 * would say, byte for byte; tests hold the two together.
 *
 * What binds the sender is in signed headers. The SDK's presigner would move a checksum into the query string, where S3 ignores it.
 */
import { AwsV4Signer } from 'aws4fetch'
import type { Clock } from '../repository/ports.ts'
import { serviceDomain } from './service-domain.ts'

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

/** An S3 bucket, and with which right to speak to it. */
export interface SignedAccess {
  readonly bucket: string
  readonly signing: Signing
  /** An endpoint that stands in for S3. */
  readonly endpoint?: string | undefined
  readonly clock?: Clock
}

export interface UnsignedRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  readonly key: string
  readonly query: Readonly<Record<string, string>>
  /** Every one of them is signed, and must be sent as it is here; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

export interface SignedUrl {
  readonly url: string
  /** RFC 3339, UTC, milliseconds. The URL dies with the credentials that signed it, if those end earlier. */
  readonly expiresAt: string
}

/** @param seconds how long the URL is good for; S3 takes 1 to 604,800. */
export async function presign(
  { bucket, signing, endpoint, clock = Date.now }: SignedAccess,
  { method, key, query, headers }: UnsignedRequest,
  seconds: number,
): Promise<SignedUrl> {
  const [region, credentials] = await Promise.all([signing.region(), signing.credentials()])
  const signedAt = wholeSecond(clock())
  const path = key.split('/').map(encodeURIComponent).join('/')
  const search = new URLSearchParams({
    'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
    'X-Amz-Expires': String(seconds),
    ...query,
  })
  const signer = new AwsV4Signer({
    method,
    url: `${bucketUrl(bucket, region, endpoint)}/${path}?${search}`,
    headers: { ...headers },
    service: 's3',
    region,
    signQuery: true,
    // Also those that the signer leaves out by itself: the length of the body is one of them.
    allHeaders: true,
    datetime: new Date(signedAt).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    ...(credentials.sessionToken === undefined ? {} : { sessionToken: credentials.sessionToken }),
  })
  const { url } = await signer.sign()
  return {
    // URLSearchParams writes a space as +, which only forms read as one.
    url: url.href.replaceAll('+', '%20'),
    expiresAt: new Date(signedAt + seconds * 1000).toISOString(),
  }
}

/** A signature's time has no fraction of a second. */
const wholeSecond = (milliseconds: number): number => Math.floor(milliseconds / 1000) * 1000

/**
 * Where an S3 bucket is. A name with a dot fits no certificate as a host, and stand-ins know only paths.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
function bucketUrl(bucket: string, region: string, endpoint: string | undefined): string {
  if (endpoint !== undefined) return `${endpoint.replace(/\/$/, '')}/${bucket}`
  const domain = serviceDomain('s3', region)
  return bucket.includes('.') ? `https://${domain}/${bucket}` : `https://${bucket}.${domain}`
}
