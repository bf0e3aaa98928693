/**
 * Errors in words. Whatever went wrong is told in three parts: what happened, why, and what to do next.
 */
import { BucketError, ERRORS, isBucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { Upload } from '../domain/upload.ts'
import type { ValidationError } from '../domain/validation.ts'
import { encodeDetails } from '../protocol/encode.ts'
import { exitCodeOf } from './exit-codes.ts'

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly next: string

  constructor(message: string, next: string) {
    super(message)
    this.next = next
  }
}

/** The user stopped the command; the message is the name of the signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** The command has said all there is to say: only its exit code is left. */
export class ExitError extends Error {
  override readonly name = 'ExitError'
  readonly exit: number

  constructor(exit: number) {
    super(`exit ${exit}`)
    this.exit = exit
  }
}

export interface Failure {
  readonly what: string
  readonly why: readonly string[]
  readonly next: string
  /** The wire's code, where it was a refusal of Bucket's. */
  readonly code?: string
  readonly members?: unknown
  readonly requestId?: string
  readonly exit: number
}

export function describeFailure(error: unknown): Failure {
  const exit = exitCodeOf(error)
  if (error instanceof BucketError) return { ...describeRefusal(error), exit }
  if (!(error instanceof Error)) return { ...UNEXPECTED, why: [String(error)], exit }
  switch (error.name) {
    case 'UsageError':
      return { what: 'This is no command that can run', why: [error.message], next: nextOf(error), exit }
    case 'NetworkError':
      return { what: 'There is no answer from Bucket', why: [error.message], next: nextOf(error), exit }
    case 'CredentialsProviderError':
      return {
        what: 'There are no AWS credentials to sign with',
        why: [error.message],
        next: 'Sign in as for other AWS tools (aws configure, AWS_PROFILE, aws sso login), or choose another --auth.',
        exit,
      }
    case 'FolderDamaged':
      return { what: 'The data folder is damaged', why: [error.message], next: nextOf(error), exit }
    case 'FolderRefused':
      return { what: 'The data folder cannot be used', why: [error.message], next: nextOf(error), exit }
    case 'FolderError':
      return { what: 'The folder cannot be used', why: [error.message], next: nextOf(error), exit }
    case 'LockFileError':
      return { what: 'The lock file does not allow this', why: [error.message], next: nextOf(error), exit }
    case 'SourceChangedError':
      return { what: 'Nothing was stored', why: [error.message], next: nextOf(error), exit }
    default:
      return 'code' in error && typeof error.code === 'string'
        ? { ...describeSystemError(error, error.code), exit }
        : { ...UNEXPECTED, why: [error.message], ...('next' in error && { next: nextOf(error) }), exit }
  }
}

const UNEXPECTED = {
  what: 'Something unexpected went wrong',
  next: 'Try again; if it stays, report it with this message.',
}

function describeRefusal(error: BucketError): Omit<Failure, 'exit'> {
  const { code, details, next, requestId } = error
  const why = [error.message]
  if (isBucketError(error, 'invalid_request')) why.push(...faultsOf(error.details.errors))
  if (isBucketError(error, 'digest_mismatch') && error.details.hint !== undefined)
    why.push(error.details.hint)
  const named = (what: string, digest: unknown) => {
    if (typeof digest === 'string' && !error.message.includes(digest)) why.push(`${what} ${digest}`)
  }
  if (isBucketError(error, 'version_exists')) {
    const { stored, declaredDigest }: Partial<typeof error.details> = error.details
    named('stored is', stored?.digest)
    named('yours is', declaredDigest)
  }
  if (isBucketError(error, 'digest_differs')) named('stored is', error.details.storedDigest)
  const conflict = isBucketError(error, 'upload_conflict') ? error.details.upload : undefined
  if (conflict) why.push(`the upload that is there is ${conflict.state}, ${conflict.size} bytes`)
  if (requestId !== undefined) why.push(`request ${requestId}`)
  return {
    what: ERRORS[code].title,
    why,
    next:
      code === 'route_not_found'
        ? 'Give the root of the API with --url, as in http://127.0.0.1:9470/v1.'
        : conflict?.state === 'open'
          ? giveUpFirst(conflict)
          : next,
    code,
    members: encodeDetails({ details }, { requestId: '' }),
    ...(requestId !== undefined && { requestId }),
  }
}

/** Where there are several; a service that breaks the contract may send anything. */
function faultsOf(errors: unknown): string[] {
  if (!Array.isArray(errors) || errors.length < 2) return []
  return errors.map(
    (fault: Partial<ValidationError> | null) =>
      `${fault?.name ?? 'something'} ${fault?.detail ?? 'is faulty'}`,
  )
}

const giveUpFirst = ({ id }: Upload): string =>
  `If nobody needs that upload, give it up, and store again: bucket uploads ${formatRef(id.ref)}@${id.digest} --abort`

const SYSTEM: { readonly [code: string]: readonly [what: string, next: string] } = {
  ENOENT: ['There is no such file or folder', 'Check the path.'],
  EISDIR: ['This is a folder, not a file', 'Name a file; a folder is stored as several artifacts.'],
  ENOTDIR: ['A part of this path is a file, not a folder', 'Check the path.'],
  EEXIST: ['There is a file where a folder is needed', 'Choose another folder.'],
  ENAMETOOLONG: ['The name is too long for this file system', 'Choose a shorter one: -o FILE.'],
  EACCES: [
    'The system does not allow this',
    'Check the permissions, and the port: below 1024 needs privileges.',
  ],
  EPERM: ['The system does not allow this', 'Check the permissions.'],
  ENOSPC: ['The disk is full', 'Free space, or choose another folder (TMPDIR for what comes from stdin).'],
  EADDRINUSE: [
    'The server cannot start',
    'Stop what listens there, or choose another port: --port 0 takes any free one.',
  ],
  EADDRNOTAVAIL: ['The server cannot start', 'Name an address of this machine with --host.'],
  ENOTFOUND: ['The server cannot start', 'Name an address of this machine with --host.'],
}

function describeSystemError(error: Error, code: string): Omit<Failure, 'exit'> {
  const [what, next] = SYSTEM[code] ?? [UNEXPECTED.what, UNEXPECTED.next]
  return { what, why: [error.message], next }
}

const nextOf = (error: Error): string =>
  'next' in error && typeof error.next === 'string' ? error.next : UNEXPECTED.next

/** Controls of a terminal, the C1 ones too, and those that turn the direction of what follows. */
const CONTROLS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu

/** One line of text as it is: what a server says may reach a terminal, but not steer it, nor look like a line of ours. */
const shown = (text: string): string => text.replace(/[\t\r\n]+/g, ' ').replace(CONTROLS, '\ufffd')

/** For people, on stderr. */
export const failureText = ({ what, why, next }: Failure): string =>
  `error: ${shown(what)}\n${why.map((line, at) => `${at === 0 ? '  why:  ' : '        '}${shown(line)}\n`).join('')}  next: ${shown(next)}\n`

/** For programs, with `--json`. */
export const failureJson = ({ what, why, next, code, members, requestId, exit }: Failure) => ({
  error: { what, why: why.join('; '), next, exit_code: exit, code, members, request_id: requestId },
})
