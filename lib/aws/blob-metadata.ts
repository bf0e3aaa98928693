/**
 * The description of an artifact as user metadata of its blob (`x-amz-meta-…`), so that a lost ledger can be rebuilt completely. The
 * service never reads it. The media type is the object's own `Content-Type`.
 *
 * Texts are in base64, because S3 may interpret some texts (RFC 2047) and a shell some others. The longest description takes 1,785
 * bytes, and `bucket-sha256` 77 of the 2,048 that S3 allows.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
 */
import {
  DEFAULT_CONTENT_TYPE,
  DESCRIPTION_MEMBERS,
  type Description,
  describeWith,
} from '../domain/description.ts'

type Metadata = Readonly<Record<string, string>>

/** When a function wrote the blob, in RFC 3339. A copy of the object keeps it, and has another `LastModified`. */
const STORED_AT = 'bucket-stored-at'

/** `bucket-uploaded-by` for `uploadedBy`. */
const nameOf = (member: string) =>
  `bucket-${member.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

export function encodeMetadata(description: Description): Record<string, string> {
  const members = DESCRIPTION_MEMBERS.flatMap((member) => {
    const value = description[member]
    return member === 'contentType' || value === null
      ? []
      : [[nameOf(member), Buffer.from(value).toString('base64')]]
  })
  return Object.fromEntries(members)
}

/** The metadata of a blob that is being written now. */
export const metadataAt = (description: Description, now: number): Record<string, string> => ({
  ...encodeMetadata(description),
  [STORED_AT]: new Date(now).toISOString(),
})

/** @returns the statements of an object about its artifact; a blob of an older version has its media type only. */
export function decodeMetadata(
  contentType: string | undefined,
  metadata: Metadata,
): { readonly description: Description; readonly storedAt: string | undefined } {
  const description = describeWith((member) => {
    if (member === 'contentType') return contentType ?? DEFAULT_CONTENT_TYPE
    const value = metadata[nameOf(member)]
    return value === undefined ? null : Buffer.from(value, 'base64').toString()
  })
  return { description, storedAt: metadata[STORED_AT] }
}
