/**
 * Requests to S3 that carry their signature in the URL. The signer is the SDK's own; the S3 client and its presigner are left
 * out, because the read function needs neither and they would double its bundle (decision 010).
 *
 * Everything that binds the sender is a signed header. The SDK's presigner would move a checksum into the query string, where
 * S3 ignores it.
 */
import type { S3Client } from '@aws-sdk/client-s3'
import { buildQueryString, HttpRequest } from '@smithy/core/protocols'
import { SignatureV4 } from '@smithy/signature-v4'
import type { Clock } from '../repository/ports.ts'
import { serviceDomain } from './service-domain.ts'

/** The region, credentials and hash of an SDK client: the `config` of any of them fits. */
export type Signing = Pick<S3Client['config'], 'region' | 'credentials' | 'sha256'>

/** An S3 bucket, and the identity that requests to it are signed with. */
export interface SignedAccess {
  readonly bucket: string
  readonly signing: Signing
  /** The endpoint that replaces S3's own, as an emulator's does. */
  readonly endpoint?: string | undefined
  readonly clock?: Clock
}

export interface UnsignedRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  readonly key: string
  readonly query: Readonly<Record<string, string>>
  /** All of them are signed and must be sent unchanged. Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

export interface SignedUrl {
  readonly url: string
  /** RFC 3339, UTC, milliseconds. The URL expires earlier if the credentials that signed it do. */
  readonly expiresAt: string
}

/** @param seconds how long the URL is valid; S3 accepts 1 to 604,800. */
export async function presign(
  access: SignedAccess,
  request: UnsignedRequest,
  seconds: number,
): Promise<SignedUrl> {
  const { clock = Date.now } = access
  // Signature times have no fraction of a second.
  const signedAt = Math.floor(clock() / 1000) * 1000
  const { protocol, hostname, port, path, query } = await presignRequest(access, request, signedAt, seconds)
  const host = port === undefined ? hostname : `${hostname}:${port}`
  return {
    url: `${protocol}//${host}${path}?${buildQueryString(query)}`,
    expiresAt: new Date(signedAt + seconds * 1000).toISOString(),
  }
}

/**
 * A request with its signature in the `Authorization` header, which an SDK request handler can send. The bucket policies bind
 * presigned requests to the VPCs of a private API; the functions run outside, so their own requests must not be presigned.
 */
export async function signRequest(access: SignedAccess, unsigned: UnsignedRequest): Promise<HttpRequest> {
  const { clock = Date.now } = access
  const request = await httpRequest(access, unsigned)
  const signed = await signer(access).sign(request, { signingDate: new Date(clock()) })
  return new HttpRequest({ ...request, headers: signed.headers })
}

/** @param signedAt milliseconds since the epoch. */
async function presignRequest(
  access: SignedAccess,
  unsigned: UnsignedRequest,
  signedAt: number,
  seconds: number,
): Promise<HttpRequest> {
  const request = await httpRequest(access, unsigned)
  const names = new Set(Object.keys(unsigned.headers))
  const signed = await signer(access).presign(request, {
    expiresIn: seconds,
    signingDate: new Date(signedAt),
    unhoistableHeaders: names,
    signableHeaders: names,
  })
  const { method, protocol, hostname, path } = request
  return new HttpRequest({ ...signed, method, protocol, hostname, path })
}

async function httpRequest(
  { bucket, signing, endpoint }: SignedAccess,
  { method, key, query, headers }: UnsignedRequest,
): Promise<HttpRequest> {
  const { protocol, hostname, port, pathname } = new URL(bucketUrl(bucket, await signing.region(), endpoint))
  const path = `${pathname.replace(/\/$/, '')}/${key.split('/').map(encodeURIComponent).join('/')}`
  return new HttpRequest({
    ...{ method, protocol, hostname, path, query: { ...query } },
    ...(port === '' ? {} : { port: Number(port) }),
    headers: {
      ...headers,
      host: port === '' ? hostname : `${hostname}:${port}`,
      // `presign` moves it into the query string. S3 then expects no hash of the body.
      'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
    },
  })
}

const signer = ({ signing }: SignedAccess): SignatureV4 =>
  new SignatureV4({
    service: 's3',
    region: signing.region,
    credentials: signing.credentials,
    sha256: signing.sha256,
    // S3 is the one service whose paths are encoded once only.
    uriEscapePath: false,
    applyChecksum: false,
  })

/**
 * The URL of an S3 bucket. Certificates do not cover host names made of bucket names with dots, and emulators know only paths.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
function bucketUrl(bucket: string, region: string, endpoint: string | undefined): string {
  if (endpoint !== undefined) return `${endpoint.replace(/\/$/, '')}/${bucket}`
  const domain = serviceDomain('s3', region)
  return bucket.includes('.') ? `https://${domain}/${bucket}` : `https://${bucket}.${domain}`
}
