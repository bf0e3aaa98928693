/** `Repr-Digest` as RFC 9530 writes it and RFC 9651 parses it. */
import { describe, expect, it } from 'vitest'
import { digestFromHex, formatReprDigest, hexToBase64 } from '../../../lib/domain/digest.ts'
import { parseReprDigest } from '../../../lib/http/repr-digest.ts'

const HEX = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const BASE64 = hexToBase64(HEX)
const OTHER = hexToBase64('0'.repeat(64))

describe('Repr-Digest', () => {
  const digest = digestFromHex(HEX)

  it('is parsed', () => {
    expect(formatReprDigest(digest)).toBe(`sha-256=:${BASE64}:`)
    expect(parseReprDigest(formatReprDigest(digest))).toEqual({ ok: true, value: digest })
  })

  it.each([
    `sha-512=:${Buffer.alloc(64).toString('base64')}:, sha-256=:${BASE64}:`,
    `sha-256=:${BASE64}:,md5=:AAAAAAAAAAAAAAAAAAAAAA==:`,
    ` sha-256=:${BASE64}: `,
    `sha-256=:${BASE64}:;q=1`,
    `sha-256=:${OTHER}:, sha-256=:${BASE64}:`,
    `sha-256=:${BASE64}:, foo="a,b", bar, baz;a=1`,
    `sha-256=:${BASE64}:;x="a,b"`,
    `sha-256=:${BASE64}:, x="a, sha-256=:${OTHER}:, b=c"`,
  ])('%j gives its SHA-256', (field) => {
    expect(parseReprDigest(field)).toEqual({ ok: true, value: digest })
  })

  it.each(['sha-512=:AAAA:, md5=:AAAA:', `x="a, sha-256=:${BASE64}:, b=c"`])(
    '%j is ignored, because it has no SHA-256',
    (field) => {
      expect(parseReprDigest(field)).toEqual({ ok: true, value: undefined })
    },
  )

  it.each([
    '',
    HEX,
    `sha-256=${BASE64}`,
    `sha-256=:${HEX}:`,
    'sha-256=::',
    'sha-256',
    `sha-256=(:${BASE64}:)`,
    `SHA-256=:${BASE64}:`,
    `sha-256=:${BASE64}:, foo=`,
    `sha-256=:${BASE64}:, foo=1.5555`,
    `sha-256=:${BASE64}:, foo="é"`,
    `sha-256=:${BASE64}:,`,
  ])('%j is refused, with an example of what is expected', (field) => {
    expect(parseReprDigest(field)).toMatchObject({
      ok: false,
      error: expect.stringContaining('expected sha-256=:<base64 of 32 bytes>:'),
    })
  })
})
