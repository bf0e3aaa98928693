/** A refusal on the wire: `application/problem+json` (RFC 9457), the same members for every code (docs/http-api.md, section 8). */

import { type BucketError, isBucketError } from '../domain/errors.ts'
import { encodeProblem } from '../protocol/encode.ts'
import { ERROR_STATUS } from '../protocol/errors.ts'
import { HEADERS } from '../protocol/headers.ts'
import type { HttpResponse } from '../protocol/http-message.ts'
import type { Operation } from './operation.ts'

/** The answer to a refused request; its code goes into the log. */
export function problemResponse(
  error: BucketError,
  operation: Operation,
  headers: Record<string, string> = {},
): HttpResponse {
  operation.record.code = error.code
  const all: Record<string, string> = {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...headers,
  }
  if (error.retryAfter !== undefined) all['Retry-After'] = String(error.retryAfter)
  if (isBucketError(error, 'artifact_too_large'))
    all[HEADERS.uploadLimit] = `max-size=${error.details.maxArtifactBytes}`
  return {
    status: ERROR_STATUS[error.code],
    headers: all,
    body: JSON.stringify(encodeProblem(error, operation)),
  }
}
