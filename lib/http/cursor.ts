/** The cursor of a list: opaque to callers, bound to the artifact whose list it continues. */
import { type ArtifactKey, formatArtifactKey, parseVersion, type Version } from '../domain/identifiers.ts'

export const formatCursor = (key: ArtifactKey, after: Version): string =>
  Buffer.from(`${formatArtifactKey(key)}/${after}`).toString('base64url')

/** @returns the version to go on after, or nothing when the cursor is malformed or of another artifact. */
export function parseCursor(cursor: string, key: ArtifactKey): Version | undefined {
  const text = Buffer.from(cursor, 'base64url').toString()
  if (Buffer.from(text).toString('base64url') !== cursor) return undefined
  const prefix = `${formatArtifactKey(key)}/`
  const version = parseVersion(text.startsWith(prefix) ? text.slice(prefix.length) : '')
  return version.ok ? version.value : undefined
}
