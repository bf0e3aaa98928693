/**
 * The two questions about an open upload that the read function asks S3: which parts have arrived, and whether a blob is there.
 * It has no S3 client (decision 010): the SDK's signer signs, the request handler of its DynamoDB client sends, the SDK's
 * parser reads the XML.
 */
import type { S3Client } from '@aws-sdk/client-s3'
import { parseXML } from '@aws-sdk/xml-builder'
import { ServiceException } from '@smithy/core/client'
import type { HttpRequest, HttpResponse } from '@smithy/core/protocols'
import type { BlobId } from '../domain/entry.ts'
import { abortableIterable } from '../flow/abortable-iterable.ts'
import { fullJitter, retry } from '../flow/retry.ts'
import type { BlobState } from '../repository/ports.ts'
import type { StagedUpload } from '../repository/upload-ports.ts'
import { blobKey } from './blob-object.ts'
import { hasStatus, isUploadGone } from './s3-errors.ts'
import { type SignedAccess, type Signing, signRequest, type UnsignedRequest } from './s3-presign.ts'
import { isPassing, serviceFailure } from './sdk-failure.ts'
import { multipartId, stagingKey } from './staged-object.ts'
import { readAllParts, type StoredPart, storedPart } from './stored-part.ts'

/** One attempt with its body, in milliseconds. All attempts and pauses end before API Gateway times out after 29 s. */
const ATTEMPT_MS = 5000
const ATTEMPTS = 3
const PAUSE_MS = 200

export interface LookupAccess extends SignedAccess {
  /** The `config` of any SDK client. */
  readonly signing: Signing & Pick<S3Client['config'], 'requestHandler'>
}

/** @returns all parts, by number; undefined if S3 has no such multipart upload (any more). */
export const lookUpParts = (
  access: LookupAccess,
  upload: StagedUpload,
): Promise<readonly StoredPart[] | undefined> =>
  readAllParts(async (after) => {
    const request = {
      method: 'GET',
      key: stagingKey(upload.id, upload.attempt),
      query: {
        uploadId: multipartId(upload),
        'x-id': 'ListParts',
        ...(after === undefined ? {} : { 'part-number-marker': after }),
      },
      headers: {},
    } as const
    const response = await lookUp(access, request, 'the parts could not be listed', isUploadGone)
    if (!response) return undefined
    const { Part, IsTruncated, NextPartNumberMarker } = response.body.ListPartsResult as Xml
    const listed = (Part === undefined ? [] : [Part].flat()) as readonly Record<string, string>[]
    return {
      parts: listed.map(({ PartNumber, Size, ...rest }) =>
        storedPart({ ...rest, PartNumber: Number(PartNumber), Size: Number(Size) }),
      ),
      next: IsTruncated === 'true' ? String(NextPartNumberMarker) : undefined,
    }
  })

/**
 * Whether the bytes of an open upload have arrived. The read role has no `s3:ListBucket` by design, so S3 answers 403 for a
 * missing key: here, and only here, 403 means "not received". The commit does not depend on it: the write side inspects every
 * blob before it commits one, and its role can tell the two apart. A blob seen here is never attested.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
 */
export async function lookUpBlob(access: LookupAccess, blob: BlobId): Promise<BlobState> {
  const request = { method: 'HEAD', key: blobKey(blob), query: {}, headers: {} } as const
  const isAbsent = (error: unknown) => hasStatus(error, 403) || hasStatus(error, 404)
  const response = await lookUp(access, request, 'the blob could not be inspected', isAbsent)
  return response
    ? { found: true, size: Number(response.headers['content-length'] ?? 0), attested: false }
    : { found: false }
}

interface LookupResponse {
  readonly headers: Readonly<Record<string, string>>
  /** Empty if the body is. */
  readonly body: Xml
}

/** Elements by name, as the SDK's parser returns them. */
interface Xml {
  readonly [element: string]: string | Xml | readonly (string | Xml)[] | undefined
}

/**
 * Sends one request without a body, and repeats it after failures that can pass.
 *
 * @param isAbsent whether a refusal means that there is nothing to be found.
 * @returns undefined where there is nothing.
 * @throws BucketError `unavailable`
 */
async function lookUp(
  access: LookupAccess,
  request: UnsignedRequest,
  action: string,
  isAbsent: (refusal: unknown) => boolean,
): Promise<LookupResponse | undefined> {
  const delayAfter = (error: unknown, failures: number) =>
    !isAbsent(error) && isPassing(error) && failures < ATTEMPTS ? fullJitter(PAUSE_MS, failures) : undefined
  try {
    return await retry(() => send(access, request), delayAfter)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw serviceFailure(error, action)
  }
}

async function send(access: LookupAccess, unsigned: UnsignedRequest): Promise<LookupResponse> {
  const request = await signRequest(access, unsigned)
  const abortSignal = AbortSignal.timeout(ATTEMPT_MS)
  const { response } = await access.signing.requestHandler.handle(request, { abortSignal })
  const body = parseBody(await readBody(response, abortSignal))
  if (response.statusCode === 200) return { headers: response.headers, body }
  throw refusal(access.bucket, request, response, body)
}

async function readBody({ body }: HttpResponse, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  if (!body) return ''
  for await (const chunk of abortableIterable<Uint8Array>(body, signal)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const parseBody = (text: string): Xml => (text === '' ? {} : (parseXML(text) as Xml))

/** An error of the shape that the SDK's own clients throw, so that one module decides what each means. */
function refusal(
  bucket: string,
  { method, path }: HttpRequest,
  { statusCode }: HttpResponse,
  { Error: error }: Xml,
) {
  const code = typeof error === 'object' && 'Code' in error ? String(error.Code) : 'UnknownError'
  return new ServiceException({
    name: code,
    message: `S3 answered ${statusCode} ${code} to ${method} ${path} (S3 bucket ${bucket})`,
    $fault: statusCode < 500 ? 'client' : 'server',
    $metadata: { httpStatusCode: statusCode },
  })
}
