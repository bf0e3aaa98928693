/** A conflict has the stored entry and says whether the bytes are the same, so that the caller can decide (docs/http-api.md, section 8). */
import { describe, expect, it } from 'vitest'
import { conflictWith, versionExists } from '../../../lib/domain/conflict.ts'
import { entryOf } from '../../support/fake-artifacts.ts'
import { BYTES, ID, OTHER_ID } from '../repository/given.ts'

const stored = entryOf('models/llama/v1', BYTES)

describe('a conflict', () => {
  it('with the same bytes is identical, and needs no further step', () => {
    const error = versionExists(ID.digest, stored)
    expect(error.details).toEqual({
      conflict: 'identical',
      declaredDigest: ID.digest,
      stored,
    })
    expect(error.next).toContain('Treat it as done')
  })

  it('with other bytes is different, and asks for a new version', () => {
    const error = versionExists(OTHER_ID.digest, stored)
    expect(error.details).toEqual({
      conflict: 'different',
      declaredDigest: OTHER_ID.digest,
      stored,
    })
    expect(error.next).toContain('Choose a new version')
    expect(error.message).toContain(stored.digest)
  })

  it('has the same details if a precondition caused it', () => {
    expect(conflictWith(ID.digest, stored)).toEqual(versionExists(ID.digest, stored).details)
  })
})
