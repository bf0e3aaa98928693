/** The exit code of an error. Every error code of the API has one, which the compiler checks. */
import { BucketError, type ErrorCode, isFinal } from '../domain/errors.ts'
import { errorCode } from '../flow/error-code.ts'
import { EXIT, SIGNAL_EXIT } from './exit-codes.ts'

const BY_CODE: { readonly [C in ErrorCode]: number } = {
  invalid_request: EXIT.usage,
  digest_mismatch: EXIT.digestMismatch,
  digest_differs: EXIT.digestMismatch,
  unauthorized: EXIT.unauthorized,
  forbidden: EXIT.unauthorized,
  route_not_found: EXIT.usage, // every command uses existing routes, so the address is wrong
  version_not_found: EXIT.notFound,
  upload_not_found: EXIT.notFound,
  method_not_allowed: EXIT.unexpected,
  request_timeout: EXIT.unavailable,
  version_exists: EXIT.conflict,
  precondition_failed: EXIT.conflict,
  upload_incomplete: EXIT.conflict,
  upload_conflict: EXIT.conflict,
  artifact_too_large: EXIT.tooLarge,
  inline_too_large: EXIT.tooLarge,
  uri_too_long: EXIT.usage,
  headers_too_large: EXIT.usage,
  unsupported_content_encoding: EXIT.unexpected,
  range_not_satisfiable: EXIT.unexpected,
  host_not_allowed: EXIT.unexpected,
  throttled: EXIT.unavailable,
  internal: EXIT.unexpected,
  blob_lost: EXIT.digestMismatch,
  unavailable: EXIT.unavailable,
  insufficient_storage: EXIT.unexpected,
}

const LOCK_FILE: { readonly [code: string]: number } = {
  not_locked: EXIT.notFound,
  lock_differs: EXIT.conflict,
  lock_busy: EXIT.unavailable,
}

/** The system's codes for a path or an address that was given and cannot be used. */
const WRONG_ARGUMENT: ReadonlySet<string> = new Set([
  'ENOENT',
  'EISDIR',
  'ENOTDIR',
  'EEXIST',
  'ELOOP',
  'ENAMETOOLONG',
  'EACCES',
  'EPERM',
  'EROFS',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
])

/** Errors are distinguished by name, so that a command without a client does not load one. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof BucketError) {
    const refusal: BucketError = error
    // Only the operator of the server can help, as with a damaged data folder.
    if (isFinal(refusal)) return EXIT.digestMismatch
    return BY_CODE[refusal.code]
  }
  if (!(error instanceof Error)) return EXIT.unexpected
  switch (error.name) {
    case 'UsageError':
    case 'FolderError':
    case 'WrongFolder':
    case 'RootError':
      return EXIT.usage
    case 'Interrupted':
      return error.message in SIGNAL_EXIT
        ? SIGNAL_EXIT[error.message as keyof typeof SIGNAL_EXIT]
        : EXIT.unexpected
    case 'NetworkError':
      return 'status' in error && error.status === 413 ? EXIT.tooLarge : EXIT.unavailable
    case 'CredentialsProviderError':
      return EXIT.unauthorized
    case 'BackupDamaged':
    case 'FolderDamaged':
    case 'SourceChangedError':
      return EXIT.digestMismatch
    case 'LockFileError':
      return LOCK_FILE[errorCode(error) ?? ''] ?? EXIT.usage
    default:
      return WRONG_ARGUMENT.has(errorCode(error) ?? '') ? EXIT.usage : EXIT.unexpected
  }
}
