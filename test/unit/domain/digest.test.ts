/** Digests in all their written forms, and the explanations of malformed ones (docs/http-api.md, sections 1 and 8). */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  base64ToHex,
  digestBase64,
  digestFromHex,
  digestHex,
  EMPTY_DIGEST,
  hexToBase64,
  parseDigest,
} from '../../../lib/domain/digest.ts'
import { anyCharacter } from '../../support/any-character.ts'

const EXPECTED = 'expected sha256: and 64 lower-case hex digits'
const HEX = createHash('sha256').update('bucket').digest('hex')
const BASE64 = Buffer.from(HEX, 'hex').toString('base64')
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))

const detailOf = (text: string) => {
  const result = parseDigest(text)
  return result.ok ? 'is a digest' : result.error
}

describe('a digest', () => {
  it('is sha256: and 64 lower-case hex digits', () => {
    expect(parseDigest(`sha256:${HEX}`)).toEqual({ ok: true, value: `sha256:${HEX}` })
    expect(digestHex(digestFromHex(HEX))).toBe(HEX)
  })

  it('of zero bytes equals the hash of zero bytes', () => {
    expect(EMPTY_DIGEST).toBe(`sha256:${createHash('sha256').digest('hex')}`)
  })

  it.each([
    ['', `is empty; ${EXPECTED}`],
    [HEX, `has no prefix: write sha256:${HEX}; ${EXPECTED}`],
    [HEX.toUpperCase(), `has no prefix: write sha256:${HEX}; ${EXPECTED}`],
    [`sha256:${HEX.toUpperCase()}`, `has upper-case hex digits: write sha256:${HEX}; ${EXPECTED}`],
    [`SHA256:${HEX}`, `has the prefix SHA256 instead of sha256:; ${EXPECTED}`],
    [`sha-256:${HEX}`, `has the prefix sha-256 instead of sha256:; ${EXPECTED}`],
    [`sha256:${HEX.slice(1)}`, `has 63 hex digits instead of 64; ${EXPECTED}`],
    [`sha256:${HEX}0`, `has 65 hex digits instead of 64; ${EXPECTED}`],
    [HEX.slice(0, 32), `has 32 hex digits, which looks like MD5; ${EXPECTED}`],
    [HEX.slice(0, 40), `has 40 hex digits, which looks like SHA-1; ${EXPECTED}`],
    [`sha256:${HEX}${HEX}`, `has 128 hex digits, which looks like SHA-512; ${EXPECTED}`],
    [`md5:${HEX.slice(0, 32)}`, `names another hash, md5; ${EXPECTED}`],
    [`sha512:${HEX}${HEX}`, `names another hash, sha512; ${EXPECTED}`],
    ['XUFAKrxLKna5cZ2REBfFkg==', `is base64, which looks like MD5; ${EXPECTED}`],
    ['2jmj7l5rSw0yVb/vlWAYkK/YBwk=', `is base64, which looks like SHA-1; ${EXPECTED}`],
    [Buffer.alloc(48, 'x').toString('base64'), `is base64, which looks like SHA-384; ${EXPECTED}`],
    [Buffer.alloc(64, 'x').toString('base64'), `is base64, which looks like SHA-512; ${EXPECTED}`],
    [`sha512-${Buffer.alloc(64, 'x').toString('base64')}`, `names another hash, sha512; ${EXPECTED}`],
    [`sha256-${BASE64}`, `is base64: in hex it is sha256:${HEX}; ${EXPECTED}`],
    [BASE64, `is base64: in hex it is sha256:${HEX}; ${EXPECTED}`],
    [BASE64.slice(0, -1), `is base64: in hex it is sha256:${HEX}; ${EXPECTED}`],
    [`sha256:${BASE64}`, `is base64: in hex it is sha256:${HEX}; ${EXPECTED}`],
    [`sha-256=:${BASE64}:`, `is base64: in hex it is sha256:${HEX}; ${EXPECTED}`],
    ['latest', `is not a digest; ${EXPECTED}`],
    [`sha256:${HEX}\n`, `is not a digest; ${EXPECTED}`],
    [`sha256:${'g'.repeat(64)}`, `is not a digest; ${EXPECTED}`],
  ])('%j is told what it looks like', (text, detail) => {
    expect(detailOf(text)).toBe(detail)
  })

  it('in base64 or base64url is refused with its hex form, in any case of its letters', () => {
    fc.assert(
      fc.property(bytes32, (bytes) => {
        const told = `is base64: in hex it is sha256:${bytes.toString('hex')}; ${EXPECTED}`
        expect(detailOf(bytes.toString('base64'))).toBe(told)
        expect(detailOf(bytes.toString('base64url'))).toBe(told)
        expect(detailOf(`${bytes.toString('base64url')}=`)).toBe(told)
      }),
    )
  })

  it('is refused without an exception, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => {
        expect(detailOf(text)).toContain(`; ${EXPECTED}`)
      }),
    )
  })
})

describe('the base64 of a digest', () => {
  it('encodes its 32 bytes, and decodes to them', () => {
    fc.assert(
      fc.property(bytes32, (bytes) => {
        const hex = bytes.toString('hex')
        expect(hexToBase64(hex)).toBe(bytes.toString('base64'))
        expect(digestBase64(digestFromHex(hex))).toBe(bytes.toString('base64'))
        expect(base64ToHex(bytes.toString('base64'))).toBe(hex)
      }),
    )
  })

  it.each([
    '',
    '=',
    BASE64.slice(0, -1),
    `${BASE64}=`,
    'A'.repeat(44),
    `${BASE64.slice(0, 42)}R=`,
    ` ${BASE64}`,
  ])('is not %j', (text) => expect(base64ToHex(text)).toBeUndefined())
})
