/**
 * What S3 checks when a multipart upload is completed: the order of the parts, their ETags, their SHA-256 where the upload was
 * created with it, and their sizes.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
import { parseXML } from '@aws-sdk/xml-builder'

export interface UploadedPart {
  readonly bytes: Buffer
  /** SHA-256 in base64. */
  readonly checksum: string
}

export interface OpenUpload<O> {
  readonly object: O
  readonly algorithm: 'SHA256' | null
  readonly parts: Map<number, UploadedPart>
}

export class RefusedParts {
  readonly code: string

  constructor(code: string) {
    this.code = code
  }
}

const LEAST_PART_BYTES = 5 * 1024 * 1024

interface NamedPart {
  readonly PartNumber?: string
  readonly ETag?: string
  readonly ChecksumSHA256?: string
}

/** @returns the parts that the body names, in their order, or S3's refusal. */
export function completedParts(
  { parts, algorithm }: OpenUpload<unknown>,
  body: string,
  etagOf: (checksum: string) => string,
): readonly UploadedPart[] | RefusedParts {
  const { CompleteMultipartUpload: root } = parseXML(body) as { CompleteMultipartUpload?: { Part?: unknown } }
  const named = (root?.Part === undefined ? [] : [root.Part].flat()) as readonly NamedPart[]
  if (named.length === 0) return new RefusedParts('MalformedXML')
  const numbers = named.map(({ PartNumber }) => Number(PartNumber))
  if (numbers.some((number, at) => at > 0 && number <= (numbers[at - 1] ?? 0)))
    return new RefusedParts('InvalidPartOrder')
  const found: UploadedPart[] = []
  for (const { PartNumber, ETag, ChecksumSHA256 } of named) {
    const part = parts.get(Number(PartNumber))
    if (!part || ETag !== etagOf(part.checksum)) return new RefusedParts('InvalidPart')
    if (algorithm && ChecksumSHA256 === undefined) return new RefusedParts('InvalidRequest')
    if (ChecksumSHA256 !== undefined && ChecksumSHA256 !== part.checksum)
      return new RefusedParts('InvalidPart')
    found.push(part)
  }
  if (found.slice(0, -1).some(({ bytes }) => bytes.byteLength < LEAST_PART_BYTES))
    return new RefusedParts('EntityTooSmall')
  return found
}
