/** The wire form of an error: the same members for every code, whoever sends it (RFC 9457; docs/http-api.md, section 8). */
import { type BucketError, ERRORS } from '../domain/errors.ts'
import type { ProblemMessage } from './messages.ts'
import { problemPath } from './routes.ts'

/** @param requestId of the request that is answered with it. */
export function problemMessage(error: BucketError, requestId: string): ProblemMessage {
  const { title, status, retryable } = ERRORS[error.code]
  return {
    type: problemPath(error.code),
    title,
    status,
    detail: error.message,
    code: error.code,
    retryable,
    next: error.next,
    request_id: requestId,
    ...error.members,
  }
}
