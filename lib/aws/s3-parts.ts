/**
 * The parts of an upload that S3 has: the same list for the read side, which has no S3 client, and for the write side.
 * The SHA-256 in it was checked by S3 as the part arrived, because it was in the signed headers of its request.
 */
import { base64ToHex } from '../domain/digest.ts'
import type { ReceivedPart, StagedUpload, Staging } from '../repository/upload-ports.ts'
import type { SignedAccess } from './s3-presign.ts'
import { callSigned } from './s3-signed-call.ts'
import { multipartId, stagingKey } from './staged-object.ts'

/** A part, and the tag by which S3 wants it named when parts are joined. */
export interface StoredPart extends ReceivedPart {
  readonly etag: string
}

const LISTING = 'the parts could not be listed'

/**
 * @returns all parts, by number; undefined when S3 knows no such multipart upload (any more).
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html — at most 1,000 to a page.
 */
export async function listParts(
  access: SignedAccess,
  upload: StagedUpload,
): Promise<readonly StoredPart[] | undefined> {
  const key = stagingKey(upload.id, upload.attempt)
  const parts: StoredPart[] = []
  for (let marker: string | undefined = '0'; marker !== undefined; ) {
    const query = { 'part-number-marker': marker, uploadId: multipartId(upload), 'x-id': 'ListParts' }
    const answer = await callSigned(access, { method: 'GET', key, query, headers: {} }, LISTING, [404])
    if (answer.status === 404) {
      if (text(answer.body, 'Code') === 'NoSuchUpload') return undefined
      throw new Error('the staging S3 bucket does not exist')
    }
    const page = [...answer.body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => storedPart(part))
    parts.push(...page)
    const isMore = text(answer.body, 'IsTruncated') === 'true'
    const next = text(answer.body, 'NextPartNumberMarker')
    if (isMore && (next === undefined || Number(next) <= Number(marker)))
      throw new Error('a list of parts does not go on')
    marker = isMore ? next : undefined
  }
  return parts
}

/** The staging area of a process that only looks. */
export const createStagingView = (access: SignedAccess): Staging => ({
  parts: async (upload) => (await listParts(access, upload))?.map(receivedPart),
  begin: refuse,
  presignPart: refuse,
  complete: refuse,
  open: refuse,
  drop: refuse,
})

export const receivedPart = ({ number, size, sha256 }: StoredPart): ReceivedPart => ({ number, size, sha256 })

/** Numbers, base64 and a quoted tag: nothing in a part needs more of XML than this. */
function storedPart(xml: string): StoredPart {
  const number = Number(text(xml, 'PartNumber'))
  const size = Number(text(xml, 'Size'))
  const sha256 = base64ToHex(text(xml, 'ChecksumSHA256') ?? '')
  const etag = text(xml, 'ETag')?.replaceAll('&quot;', '"')
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(size) || !sha256 || !etag)
    throw new Error('S3 lists a part that no request of ours can have stored')
  return { number, size, sha256, etag }
}

const text = (xml: string, name: string): string | undefined =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]

async function refuse(): Promise<never> {
  throw new Error('this process only looks at uploads')
}
