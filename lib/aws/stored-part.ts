/**
 * A part of an upload as S3 lists it, however the list was requested. S3 checked its SHA-256 when it arrived, because the digest
 * was in the signed headers of its request.
 */
import type { Part } from '@aws-sdk/client-s3'
import { base64ToHex } from '../domain/digest.ts'
import type { ReceivedPart } from '../domain/upload.ts'

/** A part, and the ETag by which CompleteMultipartUpload names it. */
export interface StoredPart extends ReceivedPart {
  readonly etag: string
}

export const receivedPart = ({ number, size, sha256 }: StoredPart): ReceivedPart => ({
  number,
  size,
  sha256,
})

/** One page of a list of parts. */
export interface PartsPage {
  readonly parts: readonly StoredPart[]
  /** The next page starts after this part number; undefined on the last page. */
  readonly next: string | undefined
}

/** Every part is sent with a SHA-256, so a store that does not list it back cannot hold uploads. */
export function storedPart({ PartNumber, Size, ChecksumSHA256, ETag }: Part): StoredPart {
  const sha256 = base64ToHex(ChecksumSHA256 ?? '')
  if (!Number.isSafeInteger(PartNumber) || !Number.isSafeInteger(Size) || !sha256 || !ETag)
    throw new Error('S3 lists a part without its number, size, SHA-256 or ETag')
  return { number: Number(PartNumber), size: Number(Size), sha256, etag: ETag }
}

/**
 * Reads every page of a list.
 *
 * @param readPage is called with the `next` of the page before; returns undefined if S3 has no such multipart upload (any more).
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html — a page has at most 1,000 parts.
 */
export async function readAllParts(
  readPage: (after: string | undefined) => Promise<PartsPage | undefined>,
): Promise<readonly StoredPart[] | undefined> {
  const parts: StoredPart[] = []
  let after: string | undefined
  do {
    const page = await readPage(after)
    if (!page) return undefined
    parts.push(...page.parts)
    if (page.next !== undefined && !(Number(page.next) > Number(after ?? 0)))
      throw new Error('S3 repeats a page of a list of parts')
    after = page.next
  } while (after !== undefined)
  return parts
}
