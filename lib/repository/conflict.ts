/** What a store or a commit says when the version is taken: who holds it, and whether with the same bytes. */
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { entryMessage } from '../protocol/entry-message.ts'

/** The members of `version_exists` and `precondition_failed`. */
export const conflict = (declared: Digest, stored: Entry) => ({
  conflict: declared === stored.digest ? ('identical' as const) : ('different' as const),
  declared_digest: declared,
  stored: entryMessage(stored),
})

export function versionExists(declared: Digest, stored: Entry): BucketError<'version_exists'> {
  const members = conflict(declared, stored)
  const name = formatRef(stored.ref)
  return members.conflict === 'identical'
    ? new BucketError('version_exists', `${name} is stored already, with exactly these bytes`, members, {
        next: 'Treat it as done: the bytes of your digest are stored under this reference.',
      })
    : new BucketError(
        'version_exists',
        `${name} is stored already, with other bytes (${stored.digest})`,
        members,
        {
          next: 'Choose a new version for these bytes: a stored version never changes.',
        },
      )
}
