/** `GET V`: the versions of one artifact, page by page (docs/http-api.md, section 6). */

import { DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT } from '../domain/limits.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import type { HttpResponse } from '../protocol/http-message.ts'
import { versionsPath } from '../protocol/routes.ts'
import type { Repository } from '../repository/repository.ts'
import { formatCursor, parseCursor } from './cursor.ts'
import type { Inputs } from './inputs.ts'
import { json } from './json.ts'
import type { Operation } from './operation.ts'

export async function listVersions(
  repository: Repository,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const parsedKey = inputs.artifactKey()
  const query = inputs.query('limit', 'cursor')
  const limit = readLimit(query.limit, inputs)
  const after = parsedKey && query.cursor !== undefined ? parseCursor(query.cursor, parsedKey) : undefined
  if (parsedKey && query.cursor !== undefined && after === undefined)
    inputs.fault(
      'query',
      'cursor',
      'is no cursor of this artifact: use next_cursor of its last page, or leave it out',
    )
  const key = inputs.required(parsedKey)
  operation.about(key)

  const page = await repository.list(key, after, limit, operation)
  const nextCursor = page.next && formatCursor(key, page.next)
  const message = { versions: page.entries.map(entryMessage), next_cursor: nextCursor }
  if (nextCursor === null) return json(200, message)
  const next = `${versionsPath(key)}?${new URLSearchParams({ limit: String(limit), cursor: nextCursor })}`
  return json(200, message, { Link: `<${next}>; rel="next"` })
}

function readLimit(text: string | undefined, inputs: Inputs): number {
  if (text === undefined) return DEFAULT_PAGE_LIMIT
  const limit = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : Number.NaN
  if (limit <= MAX_PAGE_LIMIT) return limit
  inputs.fault('query', 'limit', `is no whole number from 1 to ${MAX_PAGE_LIMIT}`)
  return DEFAULT_PAGE_LIMIT
}
