/** Errors in words, always in three parts: what happened, why, and what to do next. */
import { BucketError, isBucketError, isFinal } from '../domain/errors.ts'
import { formatPinnedRef } from '../domain/identifiers.ts'
import type { Upload } from '../domain/upload.ts'
import { errorCode, systemReason } from '../flow/error-code.ts'
import { encodeDetails } from '../protocol/encode.ts'
import { exitCodeOf } from './exit-code-of.ts'
import { UsageError } from './failure.ts'
import { conflictText, REFUSALS, whyRefused } from './refusal-texts.ts'

export interface Failure {
  readonly what: string
  readonly why: readonly string[]
  readonly next: string
  /** The code of a refusal, as in docs/http-api.md. */
  readonly code?: string
  readonly members?: unknown
  readonly requestId?: string
  readonly exit: number
}

export function describeFailure(error: unknown): Failure {
  const exit = exitCodeOf(error)
  if (error instanceof BucketError) return { ...describeRefusal(error), exit }
  if (!(error instanceof Error)) return { ...UNEXPECTED, why: [String(error)], exit }
  return { ...describeError(error), exit }
}

/** The results of a command are lost, because the system did not take them. */
export const describeLostOutput = (error: unknown): Failure => ({
  ...describeFailure(error),
  what: 'Stdout cannot be written',
  next: 'Direct stdout to another place, and repeat the command. Artifacts that it has stored stay stored.',
})

function describeError(error: Error): Omit<Failure, 'exit'> {
  const known = error instanceof UsageError ? { what: error.title } : BY_NAME.get(error.name)
  if (known) return { why: [error.message], next: nextOf(error), ...known }
  const code = errorCode(error)
  if (code !== undefined) return describeSystemError(error, code)
  return { ...UNEXPECTED, why: [error.message], next: nextOf(error) }
}

/** The texts of an error by its name: what happened, and what to do next unless the error says it itself. */
const BY_NAME: ReadonlyMap<string, { readonly what: string; readonly next?: string }> = new Map([
  [
    'Interrupted',
    {
      what: 'The command was stopped',
      next: 'Repeat the command: it continues with what is left.',
    },
  ],
  [
    'CredentialsProviderError',
    {
      what: 'No AWS credentials were found',
      next: 'Sign in as for other AWS tools (aws configure, AWS_PROFILE, aws sso login), or choose another --auth.',
    },
  ],
  ['NetworkError', { what: 'No usable answer from the server' }],
  ['FolderDamaged', { what: 'The data folder is damaged' }],
  ['BackupDamaged', { what: 'This backup is damaged' }],
  ['FolderRefused', { what: 'The data folder cannot be used' }],
  ['WrongFolder', { what: 'The data folder cannot be used' }],
  ['FolderError', { what: 'The folder cannot be used' }],
  ['RootError', { what: 'This root cannot be used' }],
  ['LockFileError', { what: 'The lock file does not allow this' }],
  ['SourceChangedError', { what: 'Nothing was stored' }],
])

const UNEXPECTED = {
  what: 'Unexpected failure',
  next: 'Repeat the command. If it fails again, report it with this message.',
}

function describeRefusal(error: BucketError): Omit<Failure, 'exit'> {
  const { code, details, requestId } = error
  // The next step for an error of the client. A server's next step is written for HTTP clients, unless no retry helps where one usually does.
  const own = requestId === undefined || isFinal(error) ? error.next : undefined
  const text = isBucketError(error, 'version_exists')
    ? conflictText(error)
    : { ...REFUSALS[code], why: whyRefused(error) }
  const why = [...text.why]
  let next = own ?? text.next
  if (isBucketError(error, 'digest_differs')) {
    const { storedDigest: stored }: Partial<typeof error.details> = error.details
    if (stored !== undefined && !error.message.includes(stored)) why.push(`stored is ${stored}`)
  }
  if (isBucketError(error, 'upload_conflict') && error.details.upload) {
    const { upload } = error.details
    why.push(`the existing upload is ${upload.state} and has ${upload.size} bytes`)
    if (upload.state === 'open') next = abortFirst(upload)
  }
  if (requestId !== undefined) why.push(`request ${requestId}`)
  const members = encodeDetails({ details }, { requestId: '' })
  return { what: text.what, why, next, code, members, ...(requestId !== undefined && { requestId }) }
}

const abortFirst = ({ id }: Upload): string =>
  `If that upload is not needed, abort it and store again: bucket uploads ${formatPinnedRef(id)} --abort`

const SYSTEM: { readonly [code: string]: readonly [what: string, next: string] } = {
  ENOENT: ['No such file or folder', 'Check the path.'],
  EISDIR: ['This is a folder, not a file', 'Name a file, or store the folder with `bucket push`.'],
  ENOTDIR: ['Part of this path is a file, not a folder', 'Check the path.'],
  ELOOP: ['The symlinks of this path lead in a circle', 'Name another path.'],
  EROFS: ['This file system cannot be written', 'Name another path.'],
  EEXIST: ['A file is where a folder is needed', 'Choose another folder.'],
  ENAMETOOLONG: ['The name is too long for this file system', 'Choose a shorter one: -o FILE.'],
  EACCES: ['Permission denied', 'Check the permissions of the path, and the user that runs the command.'],
  EPERM: ['Permission denied', 'Check the permissions.'],
  ENOSPC: ['The disk is full', 'Free space, or choose another folder (TMPDIR for bytes from stdin).'],
  EMFILE: [
    'Too many open files',
    'Raise the limit (ulimit -n), or transfer fewer files at once (--parallel).',
  ],
  EADDRINUSE: [
    'The server cannot start',
    'Stop the process that uses the port, or choose another one: --port 0 takes any free port.',
  ],
  EADDRNOTAVAIL: ['The server cannot start', 'Name an address of this machine with --host.'],
  ENOTFOUND: ['The server cannot start', 'Name an address of this machine with --host.'],
}

const PRIVILEGED_PORT = [
  'The server cannot start',
  'A port below 1024 needs privileges: choose another one with --port.',
] as const

function describeSystemError(error: Error, code: string): Omit<Failure, 'exit'> {
  const isPort = code === 'EACCES' && 'syscall' in error && error.syscall === 'listen'
  const [what, next] = isPort ? PRIVILEGED_PORT : (SYSTEM[code] ?? [UNEXPECTED.what, UNEXPECTED.next])
  return { what, why: [systemReason(error)], next }
}

const nextOf = (error: Error): string =>
  'next' in error && typeof error.next === 'string' ? error.next : UNEXPECTED.next

/** Control characters, including the C1 ones and those that change the direction of text. */
const CONTROLS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu

/** One line of text. Text from a server may reach a terminal, but must neither control it nor fake lines of the command. */
const shown = (text: string): string => text.replace(/[\t\r\n]+/g, ' ').replace(CONTROLS, '\ufffd')

/**
 * For people, on stderr.
 *
 * @param hasColor whether labels are coloured, as on a terminal without `NO_COLOR` (https://no-color.org).
 */
export function failureText({ what, why, next }: Failure, hasColor = false): string {
  const label = (text: string, code: number) => (hasColor ? `\x1b[${code}m${text}\x1b[0m` : text)
  const reasons = why.map((line, at) => `  ${at === 0 ? label('why:', 36) : '    '}  ${shown(line)}\n`)
  return `${label('error:', 31)} ${shown(what)}\n${reasons.join('')}  ${label('next:', 36)} ${shown(next)}\n`
}

/** For programs, with `--json`. */
export const failureJson = ({ what, why, next, code, members, requestId, exit }: Failure) => ({
  error: { what, why: why.join('; '), next, exit_code: exit, code, members, request_id: requestId },
})
