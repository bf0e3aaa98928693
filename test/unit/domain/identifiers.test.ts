/** Identifiers follow docs/http-api.md, section 1, and every other text is refused with a reason. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BucketError } from '../../../lib/domain/errors.ts'
import { formatArtifactKey, formatRef, parseBucketId, parseVersion } from '../../../lib/domain/identifiers.ts'
import { artifactRef, parseArtifactKey, parseRef } from '../../../lib/domain/refs.ts'
import { anyCharacter } from '../../support/any-character.ts'

const RULE = 'use 1 to 128 characters A-Z a-z 0-9 . _ + : - and begin with a letter or digit'
const FIRST = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const letters = (all: string, size: { minLength?: number; maxLength?: number }) =>
  fc.string({ unit: fc.constantFrom(...all), ...size })
const identifiers = fc
  .tuple(fc.constantFrom(...FIRST), letters(`${FIRST}._+:-`, { maxLength: 127 }))
  .map(([first, rest]) => first + rest)

const faultsOf = (read: () => unknown) => {
  try {
    read()
  } catch (error) {
    if (error instanceof BucketError && error.code === 'invalid_request') return error.details
  }
  throw new Error('was not refused')
}

describe('an identifier', () => {
  it('may be any of the allowed texts, unchanged', () => {
    fc.assert(
      fc.property(identifiers, (text) => {
        expect(parseVersion(text)).toEqual({ ok: true, value: text })
      }),
    )
  })

  it('must not contain any other character', () => {
    const strangers = anyCharacter.filter((unit) => !/^[A-Za-z0-9._+:-]$/.test(unit))
    fc.assert(
      fc.property(identifiers, strangers, (text, stranger) => {
        expect(parseVersion(`${text.slice(0, 5)}${stranger}`).ok).toBe(false)
      }),
    )
  })

  it.each([
    ['', `is empty: ${RULE}`],
    ['-v1', `begins with "-": ${RULE}`],
    ['.', `begins with ".": ${RULE}`],
    ['..', `begins with ".": ${RULE}`],
    ['a/b', `contains "/": ${RULE}`],
    ['a b', `contains " ": ${RULE}`],
    ['a\n', `contains "\\n": ${RULE}`],
    ['a%20b', `contains "%": ${RULE}`],
    ['aé', `contains "é": ${RULE}`],
    ['a😀', `contains "😀": ${RULE}`],
    ['😀', `begins with "😀": ${RULE}`],
    ['a'.repeat(129), `has 129 characters: ${RULE}`],
  ])('%j is told what is wrong', (text, error) => {
    expect(parseBucketId(text)).toEqual({ ok: false, error })
  })

  it('may be 128 characters long', () => {
    expect(parseVersion('a'.repeat(128)).ok).toBe(true)
  })
})

describe('a reference', () => {
  it('is parsed from its written form', () => {
    fc.assert(
      fc.property(identifiers, identifiers, identifiers, (bucketId, artifactId, version) => {
        const ref = artifactRef({ bucketId, artifactId, version })
        expect(parseRef(formatRef(ref))).toEqual(ref)
        expect(parseArtifactKey(formatArtifactKey(ref))).toEqual({ bucketId, artifactId })
      }),
    )
  })

  it('is refused with all its errors at once', () => {
    const { errors } = faultsOf(() => artifactRef({ bucketId: '', artifactId: 'ok', version: 'a b' })) as {
      errors: unknown
    }
    expect(errors).toEqual([
      { name: 'bucketId', detail: `is empty: ${RULE}` },
      { name: 'version', detail: `contains " ": ${RULE}` },
    ])
  })

  it.each(['', 'a', 'a/b', 'a/b/c/d', 'a/b/c/'])('is not %j', (text) => {
    expect(faultsOf(() => parseRef(text))).toBeDefined()
  })

  it.each(['', 'a', 'a/b/c'])('of an artifact without a version is not %j', (text) => {
    expect(faultsOf(() => parseArtifactKey(text))).toBeDefined()
  })
})
