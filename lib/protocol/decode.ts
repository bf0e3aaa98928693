/**
 * Wire messages as domain values. Members that this version does not know are ignored, because a newer server may say more;
 * every member that is used is checked.
 */
import { type Description, describeWith } from '../domain/description.ts'
import { parseDigest } from '../domain/digest.ts'
import type { BlobId, Entry } from '../domain/entry.ts'
import {
  BucketError,
  type BucketErrorOptions,
  type ErrorCode,
  type ErrorDetails,
  isErrorCode,
} from '../domain/errors.ts'
import type { UploadFailure } from '../domain/failure.ts'
import { parseArtifactId, parseBucketId, parseVersion } from '../domain/identifiers.ts'
import { err, ok, type Result } from '../domain/result.ts'
import type { ReceivedPart, Upload, UploadState } from '../domain/upload.ts'
import type { ValidationError } from '../domain/validation.ts'
import { DESCRIPTION_WIRE } from './description.ts'
import { DETAIL_MEMBERS, type DetailName } from './errors.ts'

export type JsonObject = { readonly [member: string]: unknown }

/** Whether `value` came from a JSON object: not an array, not null. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Decodes an entry (docs/http-api.md, section 3). */
export function decodeEntry(value: unknown): Result<Entry> {
  if (!isObject(value)) return err('is not a JSON object')
  const id = decodeId(value)
  if (!id.ok) return id
  const description = decodeDescription(value)
  if (!description.ok) return description
  const { size, created_at: createdAt } = value
  if (!isByteCount(size)) return err('size is not a number of bytes')
  if (typeof createdAt !== 'string') return err('created_at is missing')
  return ok({ ...id.value, size, ...description.value, createdAt })
}

function decodeId(value: JsonObject): Result<BlobId> {
  const bucketId = parseBucketId(text(value.bucket_id))
  if (!bucketId.ok) return err(`bucket_id ${bucketId.error}`)
  const artifactId = parseArtifactId(text(value.artifact_id))
  if (!artifactId.ok) return err(`artifact_id ${artifactId.error}`)
  const version = parseVersion(text(value.version))
  if (!version.ok) return err(`version ${version.error}`)
  const digest = parseDigest(text(value.digest))
  if (!digest.ok) return err(`digest ${digest.error}`)
  const ref = { bucketId: bucketId.value, artifactId: artifactId.value, version: version.value }
  return ok({ ref, digest: digest.value })
}

function decodeDescription(value: JsonObject): Result<Description> {
  if (typeof value.content_type !== 'string') return err('content_type is missing')
  for (const { member } of Object.values(DESCRIPTION_WIRE))
    if (value[member] != null && typeof value[member] !== 'string') return err(`${member} is not a text`)
  return ok(describeWith((name) => value[DESCRIPTION_WIRE[name].member] as string | null | undefined))
}

/** Decodes an upload (docs/http-api.md, section 7). A presigned request in it is left out. */
export function decodeUpload(value: unknown): Result<Upload> {
  if (!isObject(value)) return err('is not a JSON object')
  const id = decodeId(value)
  if (!id.ok) return id
  const description = decodeDescription(value)
  if (!description.ok) return description
  const { size, mode, expires_at: expiresAt } = value
  if (!isByteCount(size)) return err('size is not a number of bytes')
  if (mode !== 'single' && mode !== 'multipart') return err('mode is unknown')
  if (typeof expiresAt !== 'string') return err('expires_at is missing')
  const state = decodeState(value, mode)
  if (!state.ok) return state
  return ok({ id: id.value, size, description: description.value, mode, expiresAt, ...state.value } as Upload)
}

function decodeState(value: JsonObject, mode: 'single' | 'multipart'): Result<UploadState> {
  const { state, received, verified_bytes: verifiedBytes } = value
  switch (state) {
    case 'open': {
      if (mode === 'single') return ok({ state, mode, received: received === true })
      const parts = decodeParts(received)
      return parts.ok ? ok({ state, mode, received: parts.value }) : parts
    }
    case 'verifying':
      return ok({ state, verifiedBytes: isByteCount(verifiedBytes) ? verifiedBytes : 0 })
    case 'committed': {
      const entry = decodeEntry(value.entry)
      return entry.ok ? ok({ state, entry: entry.value }) : err(`entry ${entry.error}`)
    }
    case 'failed':
      return ok({ state, failure: decodeFailure(value.problem) })
    default:
      return err('state is unknown')
  }
}

function decodeParts(value: unknown): Result<readonly ReceivedPart[]> {
  const parts = Array.isArray(value) ? value : []
  return parts.every(isPart) ? ok(parts) : err('received is not a list of parts')
}

const isPart = (part: unknown): part is ReceivedPart =>
  isObject(part) && isByteCount(part.number) && isByteCount(part.size) && typeof part.sha256 === 'string'

/** A code that this version does not know means the same to an uploader as a store that failed: begin again. */
function decodeFailure(value: unknown): UploadFailure {
  const error = isObject(value) ? decodeProblem(value) : undefined
  switch (error?.code) {
    case 'digest_mismatch':
    case 'version_exists':
    case 'unavailable':
      return { code: error.code, detail: error.message, details: error.details } as UploadFailure
    default:
      return {
        code: 'unavailable',
        detail: error?.message ?? 'the upload failed, and the server does not say why',
        details: {},
      }
  }
}

/** @returns the error that a problem document describes; undefined when it is not one of Bucket's. */
export function decodeProblem(
  problem: JsonObject,
  options: BucketErrorOptions = {},
): BucketError | undefined {
  const { code } = problem
  if (typeof code !== 'string' || !isErrorCode(code)) return undefined
  const next = text(problem.next)
  const requestId = options.requestId ?? text(problem.request_id)
  return new BucketError(code, text(problem.detail) || code, decodeDetails(problem), {
    ...options,
    ...(next !== '' && { next }),
    ...(requestId !== '' && { requestId }),
  })
}

/** The details in the members of a problem. A member of another form than the contract's is left out. */
export function decodeDetails(members: JsonObject): ErrorDetails[ErrorCode] {
  const details: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(DETAIL_MEMBERS) as [DetailName, string][]) {
    const decoded = members[member] === undefined ? undefined : DECODERS[name](members[member])
    if (decoded !== undefined) details[name] = decoded
  }
  return details as ErrorDetails[ErrorCode]
}

const valid = <T>(result: Result<T>): T | undefined => (result.ok ? result.value : undefined)
const digest = (value: unknown) => valid(parseDigest(text(value)))
const byteCount = (value: unknown) => (isByteCount(value) ? value : undefined)

/** Each returns undefined for a value of another form. */
const DECODERS: { readonly [N in DetailName]: (value: unknown) => unknown } = {
  errors: (value) => (Array.isArray(value) && value.every(isValidationError) ? value : undefined),
  declaredDigest: digest,
  computedDigest: digest,
  size: byteCount,
  hint: (value) => text(value) || undefined,
  conflict: (value) => (value === 'identical' || value === 'different' ? value : undefined),
  stored: (value) => valid(decodeEntry(value)),
  received: (value) => (typeof value === 'boolean' ? value : valid(decodeParts(value))),
  missing: (value) => (Array.isArray(value) && value.every(isByteCount) ? value : undefined),
  upload: (value) => valid(decodeUpload(value)),
  expectedDigest: (value) => (value === null ? null : digest(value)),
  storedDigest: digest,
  maxArtifactBytes: byteCount,
  maxInlineBytes: byteCount,
  uploadId: (value) => (typeof value === 'string' ? decodeUploadPath(value) : undefined),
}

const isValidationError = (value: unknown): value is ValidationError =>
  isObject(value) && typeof value.name === 'string' && typeof value.detail === 'string'

function decodeUploadPath(path: string): BlobId | undefined {
  const [, bucket_id, artifact_id, version, digest] =
    /\/buckets\/([^/]*)\/artifacts\/([^/]*)\/versions\/([^/]*)\/uploads\/([^/]*)$/.exec(
      path.replaceAll('%3A', ':'),
    ) ?? []
  return valid(decodeId({ bucket_id, artifact_id, version, digest }))
}

const isByteCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
