/** The cursor of a list: opaque to callers, and bound to the artifact whose list it continues. */
import { type ArtifactKey, formatArtifactKey, parseVersion, type Version } from '../domain/identifiers.ts'
import { err, type Result } from '../domain/result.ts'

export const formatCursor = (key: ArtifactKey, after: Version): string =>
  Buffer.from(`${formatArtifactKey(key)}/${after}`).toString('base64url')

const invalid = err('is not a cursor of this artifact: use next_cursor of its previous page, or leave it out')

/** @returns the version after which the list continues. */
export function parseCursor(cursor: string, key: ArtifactKey): Result<Version> {
  const text = Buffer.from(cursor, 'base64url').toString()
  const prefix = `${formatArtifactKey(key)}/`
  if (Buffer.from(text).toString('base64url') !== cursor || !text.startsWith(prefix)) return invalid
  const version = parseVersion(text.slice(prefix.length))
  return version.ok ? version : invalid
}
