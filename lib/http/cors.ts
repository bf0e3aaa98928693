/** Cross-origin access from browsers: none, but for the origins that a deployer names (docs/http-api.md, section 9). */
import { EXPOSED_HEADERS, HEADERS } from '../protocol/headers.ts'
import type { HttpRequest } from '../protocol/http-message.ts'

const ALLOWED_HEADERS = [
  HEADERS.artifactDigest,
  HEADERS.reprDigest,
  HEADERS.uploadedBy,
  HEADERS.provenanceSource,
  'Content-Type',
  'If-None-Match',
  'If-Match',
  'If-Range',
  'Range',
  'Authorization',
  'X-Api-Key',
  'X-Amz-Date',
  'X-Amz-Security-Token',
  'X-Amz-Content-Sha256',
]

/** The headers that let a page of a named origin read an answer; none for any other. `allow` is given for a preflight. */
export function corsHeaders(
  origins: readonly string[],
  request: HttpRequest,
  allow?: string,
): Record<string, string> {
  if (origins.length === 0) return {}
  const origin = request.headers.get('Origin')
  if (origin === null || !origins.includes(origin)) return { Vary: 'Origin' }
  const headers = {
    Vary: 'Origin',
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': EXPOSED_HEADERS.join(', '),
  }
  if (allow === undefined) return headers
  return {
    ...headers,
    'Access-Control-Allow-Methods': allow,
    'Access-Control-Allow-Headers': ALLOWED_HEADERS.join(', '),
    'Access-Control-Max-Age': '3600',
  }
}
