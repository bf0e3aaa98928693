/** Versions whose names say something: those made from content, and those that mean "the newest one" elsewhere. */
import { type Digest, digestHex } from './digest.ts'

/** A version made from content is this much of its digest: enough to be unique, short enough to be read. */
const CONTENT_NAME_DIGITS = 12

/** `sha256-` and the first 12 hex digits: equal bytes get the equal version. */
export const contentVersion = (digest: Digest): string =>
  `sha256-${digestHex(digest).slice(0, CONTENT_NAME_DIGITS)}`

const CONTENT_NAME = new RegExp(`^sha256-([0-9a-f]{${CONTENT_NAME_DIGITS},64})$`)

/** Whether a version is named by content, but not by that of `digest`. */
export function namesOtherContent(version: string, digest: Digest): boolean {
  const [, digits] = CONTENT_NAME.exec(version) ?? []
  return digits !== undefined && !digestHex(digest).startsWith(digits)
}

const MOVING_NAMES: ReadonlySet<string> = new Set([
  'latest',
  'newest',
  'current',
  'stable',
  'main',
  'master',
  'head',
])

/** Whether users of other stores expect that the version moves. In Bucket it is stored once, like every other. */
export const isMovingName = (version: string): boolean => MOVING_NAMES.has(version.toLowerCase())
