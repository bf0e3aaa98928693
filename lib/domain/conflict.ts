/** The refusal of a store or a commit whose version is taken. It names the stored bytes, and says whether they are the same. */
import type { DescriptionInput } from './description.ts'
import type { Digest } from './digest.ts'
import type { Entry } from './entry.ts'
import { BucketError } from './errors.ts'
import type { VersionConflict } from './failure.ts'
import { formatRef } from './identifiers.ts'

/** The details of `version_exists` and `precondition_failed`. */
export const conflictWith = (declaredDigest: Digest, stored: Entry): VersionConflict => ({
  conflict: declaredDigest === stored.digest ? 'identical' : 'different',
  declaredDigest,
  stored,
})

/** Whether a run with the origin of `mine` stored the version: a run that is repeated, and is not reproducible if its bytes differ. */
export const isRerun = (stored: Entry, mine: DescriptionInput): boolean =>
  mine.provenanceSource !== undefined &&
  stored.provenanceSource === mine.provenanceSource &&
  (stored.uploadedBy ?? undefined) === mine.uploadedBy

export function versionExists(declared: Digest, stored: Entry): BucketError<'version_exists'> {
  const details = conflictWith(declared, stored)
  const name = formatRef(stored.ref)
  return details.conflict === 'identical'
    ? new BucketError('version_exists', `${name} is stored already, with exactly these bytes`, details, {
        next: 'Treat it as done: the bytes of your digest are stored under this reference.',
      })
    : new BucketError(
        'version_exists',
        `${name} is stored already, with other bytes (${stored.digest})`,
        details,
        { next: 'Choose a new version for these bytes: a stored version never changes.' },
      )
}
