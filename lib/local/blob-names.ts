/**
 * How a blob is named in the folder: `<bucket>/<artifact>/<version>@<hex>`, readable, and different for any two references even on a file
 * system that folds case, refuses `:` or drops a trailing dot. A ledger can be rebuilt from these names.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { digestHex } from '../domain/digest.ts'
import type { BlobId } from '../domain/entry.ts'

/** The longest name that file systems accept, in bytes. */
const NAME_BYTES = 255
/** Room for `@` and the 64 hex digits after a version. */
const VERSION_BYTES = NAME_BYTES - 65
/** How many characters of an identifier that is too long precede its SHA-256. */
const READABLE_BYTES = 100

/**
 * Writes an identifier in lower case: `=` escapes characters that an identifier may have and a file name may not. `Qwen:7B` becomes
 * `=qwen=_7=b`; a trailing dot becomes `=-`.
 */
function encodeName(identifier: string, limit: number): string {
  const name = identifier
    .replace(/[A-Z:]/g, (character) => (character === ':' ? '=_' : `=${character.toLowerCase()}`))
    .replace(/\.$/, '=-')
  if (name.length <= limit) return name
  // No escaped identifier has `==`, so a shortened name never equals a complete one.
  return `${name.slice(0, READABLE_BYTES)}==${createHash('sha256').update(identifier).digest('hex')}`
}

/** The identifier of a name; undefined for a shortened one, which holds only a part of it. */
export const decodeName = (name: string): string | undefined =>
  name.includes('==')
    ? undefined
    : name.replace(/=(.)/g, (_, escaped: string) =>
        escaped === '_' ? ':' : escaped === '-' ? '.' : escaped.toUpperCase(),
      )

/** The folder of an artifact's blobs, below the folder of all blobs. */
export const blobFolder = (root: string, { ref }: BlobId): string =>
  join(root, encodeName(ref.bucketId, NAME_BYTES), encodeName(ref.artifactId, NAME_BYTES))

/** The file name of a blob in the folder of its artifact. */
export const blobName = ({ ref, digest }: BlobId): string =>
  `${encodeName(ref.version, VERSION_BYTES)}@${digestHex(digest)}`
