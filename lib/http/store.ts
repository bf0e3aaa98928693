/** `PUT V/{version}`: stores the body (docs/http-api.md, section 4). */
import { formatReprDigest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError, isBucketError } from '../domain/errors.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import { HEADERS } from '../protocol/headers.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import { versionPath } from '../protocol/routes.ts'
import type { Repository } from '../repository/repository.ts'
import { entityTag } from './entity-tag.ts'
import type { Inputs } from './inputs.ts'
import { json } from './json.ts'
import type { Operation } from './operation.ts'

/** A store has one possible precondition; any other, or a part of a representation, would promise what nobody checks. */
const REFUSED_HEADERS = [
  'If-Match',
  'If-Modified-Since',
  'If-Unmodified-Since',
  'If-Range',
  'Content-Range',
] as const

export async function store(
  repository: Repository,
  request: HttpRequest,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const { headers, size } = request
  const ref = inputs.ref()
  const digest = inputs.declaredDigest()
  const description = inputs.description()
  inputs.query()
  for (const name of REFUSED_HEADERS)
    if (headers.get(name) !== null)
      inputs.fault('header', name, 'means nothing on a store: only If-None-Match: * is taken')
  const ifNoneMatch = headers.get('If-None-Match')
  if (ifNoneMatch !== null && ifNoneMatch.trim() !== '*')
    inputs.fault('header', 'If-None-Match', 'can only be * on a store')

  const checked = inputs.required(ref && digest && { ref, digest })
  operation.about(checked.ref)
  operation.record.digest = checked.digest
  refuseCodings(headers.get('Content-Encoding'))

  const onlyIfAbsent = ifNoneMatch !== null
  const entry = await repository
    .store({ ...checked, description, size, onlyIfAbsent, body: request.body }, operation)
    .catch(sizeInHeader)
  operation.record.size = entry.size
  return json(201, entryMessage(entry), { Location: versionPath(entry.ref), ...digestHeaders(entry) })
}

/** On a store, the announced size stands in `Content-Length`. */
function sizeInHeader(error: unknown): never {
  if (!isBucketError(error, 'invalid_request')) throw error
  throw BucketError.invalidRequest(
    error.details.errors.map((one) =>
      one.name === 'size' ? { ...one, in: 'header', name: 'Content-Length' } : one,
    ),
  )
}

export function refuseCodings(contentEncoding: string | null): void {
  const codings = (contentEncoding ?? '').split(',').map((coding) => coding.trim().toLowerCase())
  const refused = codings.filter((coding) => coding !== '' && coding !== 'identity')
  if (refused.length > 0)
    throw new BucketError(
      'unsupported_content_encoding',
      `Content-Encoding ${refused.join(', ')} is not taken`,
      {},
    )
}

export const digestHeaders = ({ digest }: Entry): Record<string, string> => ({
  ETag: entityTag(digest),
  [HEADERS.artifactDigest]: digest,
  [HEADERS.reprDigest]: formatReprDigest(digest),
})
