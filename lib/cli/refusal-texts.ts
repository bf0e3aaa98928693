/**
 * The texts of refusals on the command line, in terms of its options and commands, not of the API. Each code has a text, and the compiler
 * checks that.
 */
import { isRerun } from '../domain/conflict.ts'
import { DESCRIPTION_MEMBERS, type DescriptionInput } from '../domain/description.ts'
import { BucketError, type ErrorCode, isBucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { namesOtherContent } from '../domain/version-names.ts'
import { HEADERS } from '../protocol/headers.ts'
import { OPTIONS_BY_NAME, optionOf } from './description-options.ts'

export interface RefusalText {
  readonly what: string
  readonly next: string
}

const OPERATOR = 'tell the operator of this deployment, with the number of the request.'

export const REFUSALS: { readonly [C in ErrorCode]: RefusalText } = {
  invalid_request: {
    what: 'Invalid input',
    next: 'Correct every input listed above, then repeat the command.',
  },
  digest_mismatch: {
    what: 'The bytes do not match the digest',
    next: 'Repeat the command. If it fails again, a proxy or a network device may be changing the bytes.',
  },
  unauthorized: {
    what: 'You are not signed in',
    next: 'Give credentials: --auth iam uses those of AWS tools, --auth bearer the token in BUCKET_TOKEN.',
  },
  forbidden: {
    what: 'You are not allowed to do this',
    next: 'Ask the operator of this deployment for access, or use other credentials.',
  },
  route_not_found: {
    what: 'There is no Bucket API at this address',
    next: 'Give the root of the API with --url, as in http://127.0.0.1:9470/v1.',
  },
  version_not_found: {
    what: 'This version is not stored',
    next: 'Check the reference, character by character. `bucket list BUCKET_ID/ARTIFACT_ID` shows the versions of an artifact.',
  },
  upload_not_found: {
    what: 'There is no such upload',
    next: 'Start it with `bucket put`. An upload expires after a week.',
  },
  method_not_allowed: {
    what: 'This server does not know the operation',
    next: 'Check that --url is the root of a Bucket API, and that the server and this command have similar versions.',
  },
  request_timeout: {
    what: 'The connection was too slow',
    next: 'Repeat the command: nothing was stored, and what was sent in parts is kept.',
  },
  version_exists: {
    what: 'This version is stored already, with other bytes',
    next: 'Choose a new version: a stored version never changes.',
  },
  upload_incomplete: {
    what: 'The upload is not complete',
    next: 'Repeat `bucket put`: it sends only what is missing.',
  },
  upload_conflict: {
    what: 'The state of the upload does not allow this operation',
    next: 'Look at it with `bucket uploads`. While it is being verified, wait; once it is committed, nothing is left to do.',
  },
  digest_differs: {
    what: 'The stored bytes are not the ones you asked for',
    next: 'Check where the digest comes from. A stored version never changes, so it was stored with these bytes.',
  },
  precondition_failed: {
    what: 'This version is stored already',
    next: 'Choose a new version: a stored version never changes.',
  },
  artifact_too_large: {
    what: 'The file is too large for this deployment',
    next: 'Store it as several files with `bucket push`, or have the limit raised.',
  },
  inline_too_large: {
    what: 'The file is too large for one request',
    next: 'Repeat the command. If it fails again, a proxy limits the size of requests.',
  },
  uri_too_long: { what: 'The reference is too long', next: 'Choose shorter names.' },
  unsupported_content_encoding: {
    what: 'The bytes arrived compressed',
    next: 'Turn off compression in the proxy between this machine and the server: Bucket stores bytes unchanged.',
  },
  range_not_satisfiable: {
    what: 'The stored bytes are fewer than expected',
    next: `Repeat the command. If it fails again, ${OPERATOR}`,
  },
  host_not_allowed: {
    what: 'The server does not accept requests for this address',
    next: 'Use the address that the server printed, or start the server with --public-url for another one.',
  },
  throttled: { what: 'The server asks for fewer requests', next: 'Repeat the command later.' },
  headers_too_large: {
    what: 'The texts that describe the artifact are too long',
    next: `Shorten ${DESCRIPTION_MEMBERS.map(optionOf).join(', ')}, or the credentials.`,
  },
  internal: { what: 'The server failed', next: `Repeat the command. If it fails again, ${OPERATOR}` },
  blob_lost: {
    what: 'The server has lost these bytes',
    next: `If you have the file, run \`bucket put\` with the same reference: that restores it. Otherwise ${OPERATOR}`,
  },
  unavailable: {
    what: 'The server cannot answer now',
    next: 'Repeat the command later: repeating is always safe. This says nothing about what is stored.',
  },
  insufficient_storage: {
    what: 'The disk of the server is full',
    next: 'Free space on the disk of its data folder, and repeat the command.',
  },
}

const DIGEST_NAMES = ['digest', HEADERS.artifactDigest.toLowerCase()]

/** How options and arguments call what the API names otherwise. */
function inputName(name: string): string {
  const known = name.toLowerCase()
  return DIGEST_NAMES.includes(known) ? 'the digest' : (OPTIONS_BY_NAME.get(known) ?? name)
}

/** @returns the server's detail as lines. The server may break the contract. */
export function whyRefused(error: BucketError): string[] {
  if (isBucketError(error, 'invalid_request')) {
    const errors: unknown = error.details.errors
    const lines = Array.isArray(errors) ? errors.flatMap(inputLine) : []
    return lines.length > 0 ? lines : [error.message]
  }
  if (error.code === 'route_not_found')
    return ['the server answers, but this is not the root of a Bucket API']
  if (isBucketError(error, 'digest_mismatch') && error.details.hint !== undefined)
    return [error.message, error.details.hint]
  return [error.message]
}

function inputLine(fault: { readonly name?: unknown; readonly detail?: unknown } | null): string[] {
  if (typeof fault?.name !== 'string' || typeof fault.detail !== 'string') return []
  return [`${inputName(fault.name)} ${fault.detail}`]
}

/**
 * A conflict has three causes, each with its own advice: the version is taken, a re-run is not reproducible, or a
 * content-derived name already holds other bytes.
 */
export function conflictText(error: BucketError<'version_exists'>): RefusalText & { readonly why: string[] } {
  const { stored, declaredDigest: mine }: Partial<typeof error.details> = error.details
  if (stored?.createdAt === undefined) return { ...REFUSALS.version_exists, why: [error.message] }
  const by = stored.uploadedBy ? ` by ${stored.uploadedBy}` : ''
  const from = stored.provenanceSource ? ` from ${stored.provenanceSource}` : ''
  const why = [
    `${formatRef(stored.ref)} was stored${by}${from} at ${stored.createdAt}`,
    `stored is ${stored.digest}`,
    ...(mine ? [`yours is  ${mine}`] : []),
  ]
  if (namesOtherContent(stored.ref.version, stored.digest))
    return {
      what: 'This content-derived name holds other bytes',
      why,
      next: 'Someone stored other bytes under the name that is derived from your bytes. Use another artifact_id, and tell the operator.',
    }
  if (error.cause === RERUN)
    return {
      what: 'This run produced different bytes than the run that stored this version',
      why,
      next: 'Make the job reproducible (timestamps, ordering, seeds, tool versions), or store under a new version.',
    }
  return { ...REFUSALS.version_exists, why }
}

/** The cause of a conflict with a version of the same origin. */
const RERUN = 'a re-run of what stored this version'

/** @returns the error, marked as that of a re-run if the stored version has the same origin. */
export function markRerun(error: unknown, mine: DescriptionInput): unknown {
  if (!isBucketError(error, 'version_exists')) return error
  const { stored }: Partial<typeof error.details> = error.details
  if (stored === undefined || !isRerun(stored, mine)) return error
  const { code, message, details, requestId } = error
  return new BucketError(code, message, details, {
    cause: RERUN,
    ...(requestId !== undefined && { requestId }),
  })
}
