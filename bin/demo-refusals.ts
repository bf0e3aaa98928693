/** The requests of the tour that the server must refuse, and the expected refusals (docs/http-api.md, section 8). */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export const MAX_ARTIFACT_BYTES = 512 * 1024 * 1024

/** One request, and the promised response. */
export interface Ask {
  readonly what: string
  readonly method?: string
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly expect: readonly [status: number, code?: string]
  /** Returns the text to print for a response, or undefined if the response breaks another promise. */
  readonly shows?: (problem: Record<string, unknown>, headers: IncomingHttpHeaders) => string | undefined
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

/** All refusals of the server, except for those that need a broken disk or a gateway. */
export function refusals(versions: string, digest: string, size: number): Ask[] {
  const stored = `${versions}/step-1000`
  const fresh = `${versions}/step-2000`
  const put = (path: string, body: string, headers: Record<string, string> = {}) => ({
    method: 'PUT',
    path,
    body,
    headers: { 'X-Artifact-Digest': sha256(body), ...headers },
  })
  return [
    {
      what: 'store with three invalid inputs',
      ...put(`${versions}/-x`, 'a', { 'X-Artifact-Digest': 'ABC', 'X-Uploaded-By': '' }),
      expect: [400, 'invalid_request'],
      shows: ({ errors }) =>
        Array.isArray(errors) && errors.length === 3
          ? errors.map(({ name }: { name: string }) => name).join(', ')
          : undefined,
    },
    {
      what: 'store with an MD5 for a digest',
      ...put(fresh, 'a', { 'X-Artifact-Digest': createHash('md5').update('a').digest('hex') }),
      expect: [400, 'invalid_request'],
      shows: ({ detail }) => /looks like MD5/.exec(String(detail))?.[0],
    },
    {
      what: 'store bytes that lost their newline',
      ...put(fresh, 'weights', { 'X-Artifact-Digest': sha256('weights\n') }),
      expect: [400, 'digest_mismatch'],
      shows: ({ hint }) => text(hint)?.replace(/^.*?: /, ''),
    },
    {
      what: 'fetch the bytes that were just refused',
      path: fresh,
      expect: [404, 'version_not_found'],
    },
    {
      what: 'store the same bytes again',
      method: 'PUT',
      path: stored,
      headers: { 'X-Artifact-Digest': digest, 'Content-Length': String(size), Expect: '100-continue' },
      expect: [409, 'version_exists'],
      shows: ({ conflict }) =>
        conflict === 'identical' ? 'identical: treat it as done; no byte was sent' : undefined,
    },
    {
      what: 'store other bytes under the same version',
      ...put(stored, 'other'),
      expect: [409, 'version_exists'],
      shows: ({ conflict }) => (conflict === 'different' ? 'different: choose a new version' : undefined),
    },
    {
      what: 'the same with If-None-Match: *',
      ...put(stored, 'other', { 'If-None-Match': '*' }),
      expect: [412, 'precondition_failed'],
    },
    {
      what: 'store more than the limit',
      method: 'PUT',
      path: fresh,
      headers: {
        'X-Artifact-Digest': sha256('x'),
        'Content-Length': String(MAX_ARTIFACT_BYTES + 1),
        Expect: '100-continue',
      },
      expect: [413, 'artifact_too_large'],
      shows: (_, headers) => text(headers['upload-limit'])?.concat('; no byte was sent'),
    },
    {
      what: 'store with Content-Encoding: gzip',
      ...put(fresh, 'a', { 'Content-Encoding': 'gzip' }),
      expect: [415, 'unsupported_content_encoding'],
    },
    {
      what: 'fetch with another digest',
      path: `${stored}?digest=${sha256('other')}`,
      expect: [412, 'digest_differs'],
    },
    {
      what: 'a range after the end',
      path: stored,
      headers: { Range: `bytes=${size}-` },
      expect: [416, 'range_not_satisfiable'],
      shows: (_, headers) => text(headers['content-range']),
    },
    { what: 'fetch "latest"', path: `${versions}/latest`, expect: [404, 'version_not_found'] },
    { what: 'list all artifacts', path: '/v1/buckets/demo/artifacts', expect: [404, 'route_not_found'] },
    {
      what: 'delete',
      method: 'DELETE',
      path: stored,
      expect: [405, 'method_not_allowed'],
      shows: (_, headers) => text(headers.allow),
    },
    {
      what: 'a filter that does not exist',
      path: `${versions}?uploaded_by=me`,
      expect: [400, 'invalid_request'],
    },
    { what: 'a path with dots', path: `${versions}/%2e%2e`, expect: [400, 'invalid_request'] },
    {
      what: 'a page that rebinds its name to us',
      path: '/v1',
      headers: { Host: 'evil.example' },
      expect: [421, 'host_not_allowed'],
    },
    { what: 'still there, as stored', method: 'HEAD', path: stored, expect: [200] },
  ]
}
