/**
 * The digest of an artifact: SHA-256 over its exact bytes, written `sha256:` and 64 lower-case hex digits.
 * The base64 forms exist only at the edges (`Repr-Digest`, S3 checksums) and are made here.
 */
import { err, ok, type Result } from './result.ts'

declare const brand: unique symbol
export type Digest = string & { readonly [brand]: 'Digest' }

const PREFIX = 'sha256:'
export const DIGEST_PATTERN = '^sha256:[0-9a-f]{64}$'
export const HEX_PATTERN = '^[0-9a-f]{64}$'
const form = new RegExp(DIGEST_PATTERN)

/** The digest of zero bytes, which is a legal artifact. */
export const EMPTY_DIGEST =
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' as Digest

/** @returns the digest, or a sentence that says what `text` looks like instead (docs/http-api.md, section 1). */
export const parseDigest = (text: string): Result<Digest> =>
  form.test(text) ? ok(text as Digest) : err(describeMalformed(text))

/** @param hex 64 lower-case hex digits, as a hash function returned them. */
export const digestFromHex = (hex: string): Digest => `${PREFIX}${hex}` as Digest

/** The 64 hex digits of a digest. */
export const digestHex = (digest: Digest): string => digest.slice(PREFIX.length)

/** The 32 bytes of a digest in base64, as S3 and `Repr-Digest` write them. */
export const digestBase64 = (digest: Digest): string => hexToBase64(digestHex(digest))

export function hexToBase64(hex: string): string {
  let binary = ''
  for (let at = 0; at < hex.length; at += 2)
    binary += String.fromCharCode(Number.parseInt(hex.slice(at, at + 2), 16))
  return btoa(binary)
}

/** @returns 64 hex digits; undefined if `base64` is not the base64 of 32 bytes. */
export function base64ToHex(base64: string): string | undefined {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(base64)) return undefined
  const hex = Array.from(atob(base64), (character) =>
    character.charCodeAt(0).toString(16).padStart(2, '0'),
  ).join('')
  return hexToBase64(hex) === base64 ? hex : undefined
}

/** `sha-256=:<base64>:`, the form of RFC 9530. */
export const formatReprDigest = (digest: Digest): string => `sha-256=:${digestBase64(digest)}:`

const OTHER_HASHES: Record<number, string> = {
  32: 'MD5',
  40: 'SHA-1',
  56: 'SHA-224',
  96: 'SHA-384',
  128: 'SHA-512',
}

/** Also base64url, and without padding. */
function looseBase64ToHex(text: string): string | undefined {
  const standard = text.replaceAll('-', '+').replaceAll('_', '/')
  return base64ToHex(standard.endsWith('=') ? standard : `${standard}=`)
}

/** The hash that has this number of bytes. */
const hashOfBase64 = (text: string): string | undefined =>
  /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0
    ? OTHER_HASHES[2 * Math.floor((text.replace(/=+$/, '').length * 3) / 4)]
    : undefined

/** The name of a hash, also in the form of `integrity` attributes and `Repr-Digest`, or any word before : or =. */
const NAMED = /^(?:(sha-?\d+|md5)[:=-]|([a-z0-9-]+)[:=])(.*)$/i

function describeMalformed(text: string): string {
  const expected = 'expected sha256: and 64 lower-case hex digits'
  const looks = (what: string) => `${what}; ${expected}`
  if (text === '') return looks('is empty')
  // Checked first, because the trailing = would make everything before it look like the name of a hash.
  const whole = looseBase64ToHex(text)
  if (whole !== undefined) return looks(`is base64: in hex it is ${PREFIX}${whole}`)
  const [, hash, word, rest] = NAMED.exec(text) ?? []
  const prefix = hash ?? word
  const body = rest ?? text
  const isHex = /^[0-9a-f]+$/i.test(body)
  const other = isHex ? OTHER_HASHES[body.length] : hashOfBase64(prefix === word ? text : body)
  if (hash === undefined && !isHex && other) return looks(`is base64, which looks like ${other}`)
  if (prefix !== undefined && !/^sha-?256$/i.test(prefix)) return looks(`names another hash, ${prefix}`)
  if (isHex) {
    if (other) return looks(`has ${body.length} hex digits, which looks like ${other}`)
    if (body.length !== 64) return looks(`has ${body.length} hex digits instead of 64`)
    if (prefix === undefined) return looks(`has no prefix: write sha256:${body.toLowerCase()}`)
    if (body !== body.toLowerCase())
      return looks(`has upper-case hex digits: write ${PREFIX}${body.toLowerCase()}`)
    return looks(`has the prefix ${prefix} instead of sha256:`)
  }
  const hex = looseBase64ToHex(body.replace(/^:|:$/g, ''))
  if (hex !== undefined) return looks(`is base64: in hex it is ${PREFIX}${hex}`)
  return looks('is not a digest')
}
