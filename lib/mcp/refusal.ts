/** Failures in words for an assistant: what happened, why, and what to do next. */

import { BucketError, type ErrorCode, formatRef, isBucketError } from '../client/node.ts'
import { isRerun } from '../domain/conflict.ts'
import type { DescriptionInput } from '../domain/description.ts'
import { isFinal } from '../domain/errors.ts'
import { namesOtherContent } from '../domain/version-names.ts'
import { errorCode, systemReason } from '../flow/error-code.ts'
import { PROBLEM_TEXTS } from '../protocol/problem-texts.ts'
import { REMEDIES } from './remedies.ts'

/** A call that cannot be done as asked, apart from what Bucket refuses. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly what: string
  readonly next: string

  constructor(what: string, message: string, next: string) {
    super(message)
    this.what = what
    this.next = next
  }
}

export interface Refusal {
  readonly what: string
  readonly why: readonly string[]
  readonly next: string
  /** Of the closed list of docs/http-api.md. */
  readonly code?: ErrorCode
}

/** @param origin of what was to be stored, to recognise a re-run that is not reproducible. */
export function describeFailure(error: unknown, origin: DescriptionInput = {}): Refusal {
  if (error instanceof BucketError) return describeBucketError(error, origin)
  if (!(error instanceof Error)) return { ...UNEXPECTED, why: [String(error)] }
  const why = [error.message]
  const code = errorCode(error) ?? ''
  const own = 'next' in error ? String(error.next) : UNEXPECTED.next
  switch (error.name) {
    case 'CallError':
      return { what: 'what' in error ? String(error.what) : UNEXPECTED.what, why, next: own }
    case 'RootError':
      return { what: 'This path cannot be used', why, next: own }
    case 'TargetError':
      return { what: 'No file can be written there', why, next: TARGET_REMEDIES[code] ?? own }
    case 'FolderError':
      return { what: 'The folder cannot be used', why, next: FOLDER_REMEDIES[code] ?? own }
    case 'SourceChangedError':
      return {
        what: 'Nothing was stored, because the file changed while it was read',
        why,
        next: 'Call the tool again once no program writes to the file.',
      }
    case 'NetworkError':
      return {
        what: 'No usable answer from Bucket',
        why,
        next: 'Call the tool again: repeating is always safe. If it fails again, tell the user to check that the Bucket server runs and that its address is right.',
      }
    case 'CredentialsProviderError':
      return { what: 'No AWS credentials were found', why, next: REMEDIES.unauthorized }
    default:
      return { ...(SYSTEM[code] ?? UNEXPECTED), why: [systemReason(error)] }
  }
}

const UNEXPECTED = {
  what: 'Unexpected failure',
  next: 'Call the tool again. If it fails again, show this text to the user.',
}

/** This server never replaces a file or a folder, so it does not speak of the client's `force`. */
const TARGET_REMEDIES: Readonly<Record<string, string>> = {
  EEXIST: 'Choose another path. This server never replaces a file.',
  EISDIR: 'Name a file in that folder.',
}
const FOLDER_REMEDIES: Readonly<Record<string, string>> = {
  folder_invalid: 'Leave out what is named above with exclude, or ask the user to rename or remove it.',
  manifest_invalid: 'If this ref is a single artifact, use fetch_file or fetch_text.',
  target_invalid: 'Name a folder that does not exist yet, in a folder that does.',
  target_exists: 'Choose another folder. This server never replaces one.',
}
const SYSTEM: Readonly<Record<string, { readonly what: string; readonly next: string }>> = {
  ENOENT: { what: 'No such file or folder', next: 'Check the path. A new file needs a folder that exists.' },
  ENOTDIR: { what: 'Part of the path is a file', next: 'Check the path.' },
  ELOOP: { what: 'The symlinks of this path lead in a circle', next: 'Name another path.' },
  EACCES: { what: 'Permission denied', next: 'Name another path, or ask the user for access.' },
  EPERM: { what: 'Permission denied', next: 'Name another path, or ask the user for access.' },
  EROFS: { what: 'This file system cannot be written', next: 'Name another path.' },
  ENOSPC: { what: 'The disk of this machine is full', next: 'Tell the user to free space, then call again.' },
}

/** An assistant with tools does not choose the address. */
const OWN_REMEDIES: { readonly [C in ErrorCode]?: string } = {
  route_not_found:
    'Tell the user that the address of this MCP server (--url, BUCKET_URL) is not the root of a Bucket API, such as http://127.0.0.1:9470/v1.',
}

function describeBucketError(error: BucketError, origin: DescriptionInput): Refusal {
  const { code, message, requestId } = error
  const { title } = PROBLEM_TEXTS[code]
  const request = requestId === undefined ? [] : [`request ${requestId}`]
  if (isBucketError(error, 'version_exists')) return { ...conflict(error, origin), code }
  const why = [message]
  if (isBucketError(error, 'invalid_request') && error.details.errors.length > 0)
    why.splice(0, 1, ...error.details.errors.map(({ name, detail }) => `${argumentName(name)} ${detail}`))
  if (isBucketError(error, 'digest_mismatch') && error.details.hint !== undefined)
    why.push(error.details.hint)
  if (isBucketError(error, 'digest_differs') && !message.includes(error.details.storedDigest))
    why.push(`stored is ${error.details.storedDigest}`)
  return {
    what: title,
    why: [...why, ...request],
    next: (isFinal(error) ? error.next : undefined) ?? OWN_REMEDIES[code] ?? REMEDIES[code],
    code,
  }
}

/** Arguments have the names of the API. */
export const argumentName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

function conflict(
  { details: { stored, declaredDigest }, message }: BucketError<'version_exists'>,
  origin: DescriptionInput,
): Refusal {
  // A service that breaks the contract may leave members out.
  if (stored === undefined) return { what: message, why: [], next: REMEDIES.version_exists }
  const by = stored.uploadedBy ? ` by ${stored.uploadedBy}` : ''
  const from = stored.provenanceSource ? ` from ${stored.provenanceSource}` : ''
  const why = [
    `${formatRef(stored.ref)} was stored${by}${from} at ${stored.createdAt}`,
    `stored is ${stored.digest}, yours is ${declaredDigest}`,
  ]
  if (namesOtherContent(stored.ref.version, stored.digest))
    return {
      what: 'A version that is named by content holds other bytes',
      why,
      next: 'Use another artifact_id, and tell the user: somebody stored other bytes under the name of yours.',
    }
  if (isRerun(stored, origin))
    return {
      what: 'A re-run produced other bytes than the run that stored this version',
      why,
      next: 'Make the output deterministic (timestamps, order, seeds, tar and gzip headers), or store under a new version.',
    }
  return {
    what: 'This version is stored already, with other bytes',
    why,
    next: 'Choose a new version and store under it. The same version will never be accepted.',
  }
}

/** One text: a line for what happened, lines for why, a line for what to do next. */
export function refusalText({ what, why, next, code }: Refusal): string {
  const title = code === undefined ? what : `${what} (${code})`
  return [`error: ${title}`, ...why.map((line) => `why: ${line}`), `next: ${next}`].join('\n')
}
