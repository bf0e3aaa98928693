/**
 * Opens the bytes of an artifact from a given byte: from the API itself, from the target of its redirect, or with the request that
 * `download` returns. Each call sends a new request to the API, so an expired URL costs one more request.
 */
import { type Digest, parseDigest } from '../../domain/digest.ts'
import { BucketError } from '../../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { decodeDownload } from '../../protocol/decode.ts'
import { contentDisposition, HEADERS } from '../../protocol/headers.ts'
import { downloadPath, versionPath } from '../../protocol/routes.ts'
import type { ApiClient } from './api-client.ts'
import { aboutAnother, decodeByteCount, decodeDigest, decoded, readJson } from './decode.ts'
import { NetworkError } from './network-error.ts'
import type { IncomingResponse } from './transport.ts'

export interface Opened {
  readonly digest: Digest
  /** Bytes of the whole artifact. */
  readonly size: number
  /** The position of the first byte of `response`. */
  readonly from: number
  readonly response: IncomingResponse
}

/**
 * One attempt. The digest is pinned with `?digest=` on every request, the resuming ones too: that says all that
 * `If-Range` would, and a front that redirects refuses `If-Range` (docs/http-api.md, section 5).
 *
 * @param start the first byte wanted.
 * @param end after the last byte wanted; undefined for all that follow.
 */
export async function openRange(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  start: number,
  end: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const query: Record<string, string> = expected === undefined ? {} : { digest: expected }
  const isWhole = start === 0 && end === undefined
  const range: Record<string, string> = isWhole
    ? {}
    : { range: `bytes=${start}-${end === undefined ? '' : end - 1}` }
  if (api.authorizes || !api.platform.transport.seesRedirects) {
    const response = await api.attempt({
      method: 'GET',
      path: downloadPath(ref),
      query,
      accept: [200],
      signal,
    })
    const { request, entry } = decoded(decodeDownload(await readJson(response, api.timeouts)), 'download')
    const followed = await api.follow(request.url, { ...request.headers, ...range }, signal)
    return opened(followed, entry, ref, expected, start)
  }
  const response = await api.attempt({
    method: 'GET',
    path: versionPath(ref),
    query,
    headers: range,
    accept: [200, 206, 307],
    signal,
  })
  const known = describe(response)
  if (response.status !== 307) return opened(response, known, ref, expected, start)
  response.discard()
  const target = response.headers.get('location')
  if (target === null) throw new NetworkError('unexpected_response', 'the redirect has no Location')
  return opened(await api.follow(target, range, signal), known, ref, expected, start)
}

function describe({ headers, status }: IncomingResponse): { digest: Digest; size: number } {
  const length = status === 200 ? headers.get('content-length') : null
  const size = headers.get(HEADERS.artifactSize) ?? length ?? ''
  return {
    digest: decodeDigest(headers.get(HEADERS.artifactDigest)),
    size: decodeByteCount(/^\d+$/.test(size) ? Number(size) : undefined, HEADERS.artifactSize),
  }
}

function opened(
  response: IncomingResponse,
  { digest, size }: { digest: Digest; size: number },
  ref: ArtifactRef,
  expected: Digest | undefined,
  start: number,
): Opened {
  const refuse = (error: Error) => {
    response.discard()
    return error
  }
  if (expected !== undefined && digest !== expected) throw refuse(digestDiffers(ref, digest, expected))
  const name = fileName(response.headers.get('content-disposition'))
  if (name !== undefined && name !== fileName(contentDisposition(ref)))
    throw refuse(aboutAnother(formatRef(ref), JSON.stringify(name)))
  switch (response.status) {
    case 200:
      return { digest, size, from: 0, response }
    case 206: {
      const [, first, total] =
        /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? []
      if (Number(first) !== start || (total !== '*' && Number(total) !== size))
        throw refuse(
          new NetworkError(
            'unexpected_response',
            `the request was for the bytes from ${start} on, but the response has others: ${response.headers.get('content-range')}`,
          ),
        )
      return { digest, size, from: start, response }
    }
    case 404:
      throw refuse(
        new BucketError('blob_lost', `the store that holds the bytes of ${formatRef(ref)} has lost them`, {}),
      )
    // Any other status is not interpreted: an expired URL, a throttled or a failing store are all worth another attempt.
    default:
      throw refuse(
        BucketError.unavailable(`the store that holds the bytes answered ${response.status}`, undefined, 0),
      )
  }
}

/** The refusal of the server if a digest is pinned. */
export const digestDiffers = (ref: ArtifactRef, stored: Digest, expected: Digest) =>
  new BucketError(
    'digest_differs',
    `${formatRef(ref)} has the digest ${stored}, not ${expected}`,
    { expectedDigest: expected, storedDigest: stored },
    { next: 'Do not use the stored bytes instead. Check where the expected digest comes from.' },
  )

/** The file name in the response (docs/http-api.md, section 5): the only header that names the reference. */
const fileName = (disposition: string | null): string | undefined =>
  /;\s*filename="([^"]*)"/i.exec(disposition ?? '')?.[1]

/** @throws BucketError `invalid_request` that says what `text` looks like instead (docs/http-api.md, section 8). */
export const digestOf = (text: string): Digest => {
  const digest = parseDigest(text)
  if (digest.ok) return digest.value
  throw BucketError.invalidRequest([{ name: 'digest', detail: digest.error }])
}
