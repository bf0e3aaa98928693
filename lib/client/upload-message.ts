/** Reads what the API says of an upload (docs/http-api.md, section 7); nothing that is relied on is taken on trust. */
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../domain/identifiers.ts'
import { partSize, type UploadMode } from '../domain/limits.ts'
import { isObject, type JsonObject, readBytes, readDigest, readEntryOf, unintelligible } from './answers.ts'
import type { Presigned } from './front.ts'
import { problemError } from './problem.ts'

export interface ReceivedPart {
  /** From 1. */
  readonly number: number
  /** Bytes. */
  readonly size: number
  /** 64 hex digits. */
  readonly sha256: string
}

export type UploadStateName = 'open' | 'verifying' | 'committed' | 'failed'

/** An upload: an unfinished way to an entry, found by ref and digest. */
export interface Upload {
  readonly ref: ArtifactRef
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly mode: UploadMode
  readonly state: UploadStateName
  /** RFC 3339. */
  readonly expiresAt: string
  /** What has arrived, while it is open: in single mode all or nothing, in multipart mode these parts. */
  readonly received: boolean | readonly ReceivedPart[]
  /** How far the verification has got, in bytes. */
  readonly verifiedBytes: number
  /** Once it is committed. */
  readonly entry: Entry | undefined
  /** Why it failed. */
  readonly problem: BucketError | undefined
}

/** An upload as the one who sends its bytes sees it. */
export interface BegunUpload extends Upload {
  /** What stores the bytes, in single mode while they are awaited. */
  readonly request: Presigned | undefined
}

/** @throws NetworkError `unintelligible` when it is no upload, or none of this reference and digest. */
export function readUpload(value: JsonObject, ref: ArtifactRef, digest: Digest): BegunUpload {
  const { bucket_id, artifact_id, version, mode, state, expires_at: expiresAt } = value
  const isNamed = bucket_id === ref.bucketId && artifact_id === ref.artifactId && version === ref.version
  if (!isNamed || readDigest(value.digest) !== digest)
    throw unintelligible(`no upload of ${digest} to ${formatRef(ref)}`)
  if (mode !== 'single' && mode !== 'multipart') throw unintelligible('an upload of no known mode')
  if (!isState(state) || typeof expiresAt !== 'string') throw unintelligible('an upload of no known state')
  const size = readBytes(value.size, 'size')
  if (value.part_size != null && value.part_size !== partSize(size))
    throw unintelligible(`parts of ${value.part_size} bytes for an upload of ${size}`)
  return {
    ref,
    digest,
    size,
    mode,
    state,
    expiresAt,
    received: readReceived(value.received, mode),
    verifiedBytes: value.verified_bytes == null ? 0 : readBytes(value.verified_bytes, 'verified_bytes'),
    entry: value.entry == null ? undefined : readEntryOf(ref, digest, value.entry),
    problem: state === 'failed' ? readFailure(value.problem) : undefined,
    request: value.request == null ? undefined : readPresigned(value.request),
  }
}

const isState = (text: unknown): text is UploadStateName =>
  text === 'open' || text === 'verifying' || text === 'committed' || text === 'failed'

function readReceived(value: unknown, mode: UploadMode): boolean | readonly ReceivedPart[] {
  if (mode === 'single') return value === true
  if (value == null) return []
  if (!Array.isArray(value)) throw unintelligible('no list of received parts')
  return value.map((part) => {
    if (!isObject(part) || typeof part.sha256 !== 'string') throw unintelligible('a part without sha256')
    return {
      number: readBytes(part.number, 'number'),
      size: readBytes(part.size, 'size'),
      sha256: part.sha256,
    }
  })
}

/** Why it failed; a problem that nobody knows is one that can be tried anew. */
function readFailure(problem: unknown): BucketError {
  const told = isObject(problem) ? problemError(problem) : undefined
  return told ?? BucketError.unavailable('the upload failed, and the server does not say why')
}

/** @throws NetworkError `unintelligible` when it is no request to store bytes (docs/http-api.md, section 7.1). */
export function readPresigned(value: unknown): Presigned {
  if (!isObject(value) || typeof value.url !== 'string' || value.method !== 'PUT')
    throw unintelligible('no presigned request')
  const headers = isObject(value.headers) ? value.headers : {}
  return {
    method: value.method,
    url: value.url,
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)])),
  }
}
