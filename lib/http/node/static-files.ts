/**
 * Text files that the Node server serves in addition to the API, from memory: the page, and documents for people and assistants. A request
 * names a file by its exact path, so no path can lead to another file of the disk.
 */
import { createHash } from 'node:crypto'
import { BucketError } from '../../domain/errors.ts'
import type { HttpRequest, HttpResponse } from '../../protocol/http-message.ts'
import { parseEntityTags } from '../entity-tag.ts'
import { encodeRefusal } from '../respond.ts'
import type { NotingHandler } from './with-logging.ts'

export interface StaticFile {
  readonly text: string
  /** The value of `Content-Type`. */
  readonly type: string
  readonly headers?: Readonly<Record<string, string>>
}

/** By path, such as `/llms.txt`. */
export type StaticFiles = ReadonlyMap<string, StaticFile>

/** Only pages of this server may load a file, and a cache revalidates it each time. */
const HEADERS = {
  'Cache-Control': 'no-cache',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

/** @returns a handler that answers GET and HEAD of these paths, refuses other methods of them, and answers no other path. */
export function staticFiles(files: StaticFiles): NotingHandler {
  const responses = new Map([...files].map(([path, file]) => [path, responseOf(file)]))
  return (request, notes) => {
    const [path = ''] = request.target.split('?', 1)
    const response = responses.get(path)
    if (response === undefined) return undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      notes.code = 'method_not_allowed'
      return Promise.resolve(refuse(request, path))
    }
    return Promise.resolve(conditional(request, response))
  }
}

function responseOf({ text, type, headers }: StaticFile): HttpResponse {
  const hash = createHash('sha256').update(text).digest('base64url')
  return {
    status: 200,
    headers: {
      ...HEADERS,
      ...headers,
      'Content-Type': type,
      'Content-Length': String(Buffer.byteLength(text)),
      ETag: `"${hash}"`,
    },
    body: text,
  }
}

function conditional(request: HttpRequest, response: HttpResponse): HttpResponse {
  const { 'Content-Length': _length, 'Content-Type': _type, ...headers } = response.headers
  const field = request.headers.get('If-None-Match')
  const tags = field === null ? undefined : parseEntityTags(field)
  if (tags === '*' || tags?.some(({ opaque }) => `"${opaque}"` === headers.ETag))
    return { status: 304, headers, body: null }
  return request.method === 'HEAD' ? { ...response, body: null } : response
}

function refuse(request: HttpRequest, path: string): HttpResponse {
  const error = new BucketError('method_not_allowed', `${path} does not support ${request.method}`, {})
  const response = encodeRefusal(error, request, {
    ...HEADERS,
    'Cache-Control': 'no-store',
    Allow: 'GET, HEAD',
  })
  return {
    ...response,
    headers: { ...response.headers, 'Content-Length': String(Buffer.byteLength(String(response.body))) },
  }
}
