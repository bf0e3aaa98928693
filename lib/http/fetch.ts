/** `GET` and `HEAD V/{version}`, its `/entry` and its `/download` (docs/http-api.md, section 5). */
import { parseRange } from '../domain/byte-range.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import { ARTIFACT_CACHE_CONTROL, contentDisposition, HEADERS } from '../protocol/headers.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import type { DownloadMessage } from '../protocol/messages.ts'
import type { Repository } from '../repository/repository.ts'
import type { Inputs } from './inputs.ts'
import { json } from './json.ts'
import type { Operation } from './operation.ts'
import { isNotModified, rangeStands, readPreconditions } from './preconditions.ts'
import { problemResponse } from './problem.ts'
import { digestHeaders } from './store.ts'

/** Whether a fetch is answered with the bytes, or with where they are. */
export type Delivery = 'direct' | 'redirect'

export async function fetchBytes(
  repository: Repository,
  delivery: Delivery,
  request: HttpRequest,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const { headers } = request
  const isHead = request.method === 'HEAD'
  const conditions = readPreconditions(headers, inputs)
  if (delivery === 'redirect' && !isHead)
    for (const name of ['If-Match', 'If-Range'])
      if (headers.get(name) !== null)
        inputs.fault(
          'header',
          name,
          'would be repeated to the target of the redirect, where it means something else: use ?digest=sha256:<hex>',
        )
  const entry = await find(repository, inputs, operation)
  if (isNotModified(entry, conditions)) return { status: 304, headers: artifactHeaders(entry), body: null }
  if (isHead)
    return {
      status: 200,
      headers: { ...artifactHeaders(entry), 'Content-Length': String(entry.size) },
      body: null,
    }
  if (delivery === 'redirect') return redirect(repository, entry, request, operation)

  const range = rangeStands(entry, headers.get('If-Range'))
    ? parseRange(headers.get('Range'), entry.size)
    : undefined
  if (range === 'unsatisfiable')
    return problemResponse(
      new BucketError('range_not_satisfiable', `${formatRef(entry.ref)} has ${entry.size} bytes`, {}),
      operation,
      { 'Content-Range': `bytes */${entry.size}` },
    )
  const body = await repository.read(entry, range, operation)
  if (range === undefined)
    return { status: 200, headers: { ...artifactHeaders(entry), 'Content-Length': String(entry.size) }, body }
  return {
    status: 206,
    headers: {
      ...artifactHeaders(entry),
      'Content-Range': `bytes ${range.first}-${range.last}/${entry.size}`,
      'Content-Length': String(range.last - range.first + 1),
    },
    body,
  }
}

export async function fetchEntry(
  repository: Repository,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  inputs.query()
  const ref = inputs.required(inputs.ref())
  operation.about(ref)
  return json(200, entryMessage(await repository.find(ref, undefined, operation)))
}

export async function download(
  repository: Repository,
  request: HttpRequest,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const entry = await find(repository, inputs, operation)
  const { url, headers, expiresAt } = await repository.presignFetch(entry, operation)
  const message: DownloadMessage = {
    method: 'GET',
    url: new URL(url, request.origin).href,
    headers: { ...headers },
    expires_at: expiresAt,
    digest: entry.digest,
    size: entry.size,
  }
  return json(200, message)
}

async function find(repository: Repository, inputs: Inputs, operation: Operation): Promise<Entry> {
  const parsed = inputs.ref()
  const expected = inputs.queryDigest()
  const ref = inputs.required(parsed)
  operation.about(ref)
  const entry = await repository.find(ref, expected, operation)
  operation.record.digest = entry.digest
  operation.record.size = entry.size
  return entry
}

async function redirect(
  repository: Repository,
  entry: Entry,
  request: HttpRequest,
  operation: Operation,
): Promise<HttpResponse> {
  const { url } = await repository.presignFetch(entry, operation)
  const headers = {
    Location: new URL(url, request.origin).href,
    [HEADERS.artifactDigest]: entry.digest,
    [HEADERS.artifactSize]: String(entry.size),
    'Cache-Control': 'no-store',
  }
  return { status: 307, headers, body: null }
}

/** What every answer about the bytes says, 304 included. */
const artifactHeaders = (entry: Entry): Record<string, string> => ({
  ...digestHeaders(entry),
  [HEADERS.artifactSize]: String(entry.size),
  'Accept-Ranges': 'bytes',
  'Last-Modified': new Date(entry.createdAt).toUTCString(),
  'Cache-Control': ARTIFACT_CACHE_CONTROL,
  'Content-Disposition': contentDisposition(entry.ref),
  'Content-Type': entry.contentType,
  'Content-Security-Policy': 'sandbox',
})
