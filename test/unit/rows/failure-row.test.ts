/** Rows keep the failure of an upload under names that never change: other versions of Bucket read them. */
import { describe, expect, test } from 'vitest'
import { DESCRIPTION, DESCRIPTION_MEMBERS } from '../../../lib/domain/description.ts'
import type { UploadFailure } from '../../../lib/domain/failure.ts'
import { failureFromRow, failureRow } from '../../../lib/rows/failure-row.ts'
import { blobOf, entryOf, someBytes } from '../../support/fake-artifacts.ts'

const { digest } = blobOf('b/a/v', someBytes(5))
const stored = entryOf('b/a/v', someBytes(6), { uploadedBy: 'me' })
const mismatch: UploadFailure = {
  code: 'digest_mismatch',
  detail: 'other bytes',
  details: { declaredDigest: digest, computedDigest: stored.digest, size: 6, hint: 'gzip' },
}
const conflict: UploadFailure = {
  code: 'version_exists',
  detail: 'stored already',
  details: { conflict: 'different', declaredDigest: digest, stored },
}
const outage: UploadFailure = { code: 'unavailable', detail: 'gave up', details: {} }
/** The members of the row of `conflict`. */
const entryRow = {
  bucket_id: 'b',
  artifact_id: 'a',
  version: 'v',
  digest: stored.digest,
  size: 6,
  content_type: stored.contentType,
  uploaded_by: 'me',
  created_at: stored.createdAt,
}
const conflictRow = { conflict: 'different', declared_digest: digest, stored: entryRow }

test.each([
  [mismatch, { declared_digest: digest, computed_digest: stored.digest, size: 6, hint: 'gzip' }],
  [conflict, conflictRow],
  [outage, {}],
])('the row of the failure %o has these names', (failure, members) => {
  const { code, detail } = failure
  expect(failureRow(failure)).toMatchObject({ code, detail, members })
})

test.each([mismatch, conflict, outage])('the failure %o is the same after a row', (failure) => {
  expect(failureFromRow(JSON.parse(JSON.stringify(failureRow(failure))))).toEqual(failure)
})

describe('the row of an older version', () => {
  test.each(DESCRIPTION_MEMBERS)('has its stored entry without %s: the member is absent', (member) => {
    const name = member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    const { [name]: _, ...older } = entryRow as Record<string, unknown>
    const { code, detail } = conflict
    expect(failureFromRow({ code, detail, members: { ...conflictRow, stored: older } })).toMatchObject({
      details: { stored: { ref: stored.ref, [member]: DESCRIPTION[member].absent } },
    })
  })
})
