/** `Repr-Digest` of a request: a dictionary of digests, of which Bucket checks the `sha-256` (RFC 9530, section 3). */
import { type Dictionary, ParseError, parseDictionary } from 'structured-headers'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import { faulty, type Parsed, parsed } from '../domain/validation.ts'

const EXAMPLE = 'expected sha-256=:<base64 of 32 bytes>:'
const DIGEST_BYTES = 32

/**
 * The last of several equal keys wins, and a field that breaks its grammar anywhere says nothing (RFC 9651, section 4.2).
 *
 * @returns the digest; undefined where the field holds other algorithms only, which say nothing to Bucket.
 */
export function parseReprDigest(field: string): Parsed<Digest | undefined> {
  const members = dictionaryOf(field)
  if (!members || members.size === 0) return faulty(`is no dictionary of digests; ${EXAMPLE}`)
  const [value] = members.get('sha-256') ?? []
  if (value === undefined) return parsed(undefined)
  return value instanceof ArrayBuffer && value.byteLength === DIGEST_BYTES
    ? parsed(digestFromHex(Buffer.from(value).toString('hex')))
    : faulty(`sha-256 is not base64 of 32 bytes between colons; ${EXAMPLE}`)
}

function dictionaryOf(field: string): Dictionary | undefined {
  try {
    return parseDictionary(field)
  } catch (error) {
    if (error instanceof ParseError) return undefined
    throw error
  }
}
