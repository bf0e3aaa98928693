/** Every failure in three parts (what happened, why, what to do next), in the words of the page, as plain data for workers. */
import { NetworkError } from '../client/index.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError, type ErrorCode, isBucketError, isFinal } from '../domain/errors.ts'
import { REFUSALS } from './refusal-texts.ts'

export interface Failure {
  readonly what: string
  /** Lines; empty only for a conflict, whose two entries say it. */
  readonly why: readonly string[]
  readonly next: string
  readonly code?: ErrorCode
  readonly requestId?: string
  /** Of a conflict: the entry that is stored, and the digest that was to be stored. */
  readonly conflict?: { readonly stored: Entry; readonly declared: Digest }
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof BucketError) return describeRefusal(error)
  if (!(error instanceof Error)) return { what: UNEXPECTED.what, why: [String(error)], next: UNEXPECTED.next }
  const next = 'next' in error && typeof error.next === 'string' ? error.next : undefined
  const shared = { why: [error.message] }
  if (error instanceof NetworkError)
    return { what: 'No usable answer from the API', ...shared, next: nextOf(error) }
  switch (error.name) {
    case 'ConfigError':
      return { what: 'This page is not set up', ...shared, next: next ?? UNEXPECTED.next }
    case 'SourceChangedError':
    case 'NotReadableError':
    case 'NotFoundError':
      return {
        what: 'The file cannot be read',
        ...shared,
        next: 'It was changed, moved or locked after you chose it. Choose it again.',
      }
    case 'QuotaExceededError':
      return { what: 'The disk is full', ...shared, next: 'Free space on this machine, then download again.' }
    case 'NotAllowedError':
    case 'SecurityError':
    case 'NoModificationAllowedError':
      return {
        what: 'The browser does not let this page write the file',
        ...shared,
        next: 'Choose another file, and allow the page to save it.',
      }
    default:
      return { what: UNEXPECTED.what, ...shared, next: next ?? UNEXPECTED.next }
  }
}

const UNEXPECTED = {
  what: 'Unexpected failure',
  next: 'Load the page again and repeat the step. If it fails again, report it with this message.',
}

function describeRefusal(error: BucketError): Failure {
  const { code, requestId } = error
  const text = REFUSALS[code]
  // An error of the client itself has no request, and may know the next step better than the table. So does a server that asks for no retry.
  const own = requestId === undefined || isFinal(error) ? error.next : undefined
  return {
    what: text.what,
    why: isBucketError(error, 'version_exists') && error.details.stored !== undefined ? [] : reasons(error),
    next: own ?? text.next,
    code,
    ...(requestId !== undefined && { requestId }),
    ...conflictOf(error),
  }
}

/** The names on the page, which are those of the API. */
const INPUT_NAMES: Readonly<Record<string, string>> = { bucketId: 'bucket_id', artifactId: 'artifact_id' }

function reasons(error: BucketError): string[] {
  if (isBucketError(error, 'invalid_request') && error.details.errors.length > 0)
    return error.details.errors.map(({ name, detail }) => `${INPUT_NAMES[name] ?? name} ${detail}`)
  if (isBucketError(error, 'digest_mismatch') && error.details.hint !== undefined)
    return [error.message, error.details.hint]
  return [error.message]
}

function conflictOf(error: BucketError): Pick<Failure, 'conflict'> {
  if (!isBucketError(error, 'version_exists')) return {}
  const { stored, declaredDigest }: Partial<typeof error.details> = error.details
  if (stored === undefined || declaredDigest === undefined) return {}
  return { conflict: { stored, declared: declaredDigest } }
}

/** A browser does not tell a page why it got no answer. */
const nextOf = (error: NetworkError): string =>
  error.kind === 'unreachable'
    ? 'Check that the server is running. If the page is on another origin than the API, that origin must be in corsOrigins.'
    : error.next
