/** Cross-origin access from browsers, for the configured origins only (docs/http-api.md, section 9). */
import type { HttpRequest } from '../protocol/http-message.ts'
import { SENDABLE_HEADERS } from '../protocol/inputs.ts'
import { EXPOSED_HEADERS } from '../protocol/response-headers.ts'

/**
 * The headers that let a page of an allowed origin read a response.
 *
 * @param allow the methods of the resource, for a preflight.
 */
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
    'Access-Control-Allow-Headers': SENDABLE_HEADERS.join(', '),
    'Access-Control-Max-Age': '3600',
  }
}
