/** `Repr-Digest` of a request: a dictionary of digests. Bucket checks the `sha-256` (RFC 9530, section 3). */
import { type Dictionary, ParseError, parseDictionary } from 'structured-headers'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import { err, ok, type Result } from '../domain/result.ts'

const EXAMPLE = 'expected sha-256=:<base64 of 32 bytes>:'
const DIGEST_BYTES = 32

/**
 * The last of several equal keys wins, and a syntax error anywhere invalidates the whole field (RFC 9651, section 4.2).
 *
 * @returns the digest; undefined if the field has only other algorithms.
 */
export function parseReprDigest(field: string): Result<Digest | undefined> {
  const members = dictionaryOf(field)
  if (!members || members.size === 0) return err(`is not a dictionary of digests; ${EXAMPLE}`)
  const [value] = members.get('sha-256') ?? []
  if (value === undefined) return ok(undefined)
  return value instanceof ArrayBuffer && value.byteLength === DIGEST_BYTES
    ? ok(digestFromHex(Buffer.from(value).toString('hex')))
    : err(`sha-256 is not base64 of 32 bytes between colons; ${EXAMPLE}`)
}

function dictionaryOf(field: string): Dictionary | undefined {
  try {
    return parseDictionary(field)
  } catch (error) {
    if (error instanceof ParseError) return undefined
    throw error
  }
}
