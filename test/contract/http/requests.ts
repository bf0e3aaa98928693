/**
 * Short forms of the contract's requests: new references, digests, and one function per resource. Paths are repeated here from the
 * contract, because the suite must not trust the tables of the code that it checks.
 */
import { createHash, randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { digestFromHex } from '../../../lib/domain/digest.ts'
import type { BlobId } from '../../../lib/domain/entry.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { type EntryShape, entryShape } from '../../support/problem.ts'
import type { HeaderLines, RawRequest, RawResponse } from '../../support/raw-http.ts'
import type { Target } from './target.ts'

export interface Ref {
  readonly bucketId: string
  readonly artifactId: string
  readonly version: string
}

const random = (): string => randomBytes(6).toString('hex')

/** A new ref. */
export const freshRef = (parts: Partial<Ref> = {}): Ref => ({
  bucketId: `contract-${random()}`,
  artifactId: `artifact-${random()}`,
  version: `v-${random()}`,
  ...parts,
})

export const sha256 = (bytes: Uint8Array | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`
/** The same names as the stores have them. @param digest `sha256:…` */
export const blobIdOf = ({ bucketId, artifactId, version }: Ref, digest: string): BlobId => ({
  ref: parseRef(`${bucketId}/${artifactId}/${version}`),
  digest: digestFromHex(digest.slice('sha256:'.length)),
})
export const sha256Base64 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('base64')
export const EMPTY = sha256('')
/** A well-formed digest of nothing that any test stores. */
export const OTHER_DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`
/** Every byte value once, which no text encoding preserves by accident. */
export const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, at) => at)

export const listPath = (ref: Omit<Ref, 'version'>): string =>
  `/v1/buckets/${encodeURIComponent(ref.bucketId)}/artifacts/${encodeURIComponent(ref.artifactId)}/versions`
export const versionPath = (ref: Ref): string => `${listPath(ref)}/${encodeURIComponent(ref.version)}`
export const entryPath = (ref: Ref): string => `${versionPath(ref)}/entry`
export const downloadPath = (ref: Ref): string => `${versionPath(ref)}/download`

export interface Resource {
  readonly name: string
  /** @param ref a stored version. */
  readonly path: (ref: Ref) => string
  readonly methods: readonly string[]
  /** Whether a cache may keep the response of a GET; `bytes` where that depends on the front. */
  readonly caching: 'no-store' | 'free' | 'bytes'
}

/** Every resource of section 2 without those of uploads. No other list of endpoints stands in the tests. */
export const RESOURCES: readonly Resource[] = [
  { name: 'the service document', path: () => '/v1', methods: ['GET'], caching: 'no-store' },
  { name: 'health', path: () => '/v1/health', methods: ['GET'], caching: 'no-store' },
  { name: 'the OpenAPI document', path: () => '/v1/openapi.json', methods: ['GET'], caching: 'free' },
  { name: 'the problem pages', path: () => '/v1/problems', methods: ['GET'], caching: 'free' },
  {
    name: 'one problem page',
    path: () => '/v1/problems/version_exists',
    methods: ['GET'],
    caching: 'free',
  },
  { name: 'the list', path: listPath, methods: ['GET'], caching: 'no-store' },
  { name: 'the version', path: versionPath, methods: ['PUT', 'GET', 'HEAD'], caching: 'bytes' },
  { name: 'the entry', path: entryPath, methods: ['GET'], caching: 'no-store' },
  { name: 'the download', path: downloadPath, methods: ['GET'], caching: 'no-store' },
]

export const get = (
  target: Target,
  path: string,
  headers: HeaderLines = [],
  method: 'GET' | 'HEAD' = 'GET',
): Promise<RawResponse> => target.send({ method, path, headers })

/** A store with the right digest header, unless `headers` has another. */
export function put(
  target: Target,
  ref: Ref,
  body: Uint8Array | string,
  headers: HeaderLines = [],
  more: Partial<RawRequest> = {},
): Promise<RawResponse> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const declares = headers.some(([name]) => /^(x-artifact-digest|repr-digest)$/i.test(name))
  return target.send({
    method: 'PUT',
    path: versionPath(ref),
    headers: declares ? headers : [['X-Artifact-Digest', sha256(bytes)], ...headers],
    body: bytes,
    ...more,
  })
}

export const json = (response: RawResponse): unknown => JSON.parse(response.body.toString('utf8'))

/** Reads an entry, and checks that it has exactly the members of section 3. */
export function expectEntry(value: unknown): EntryShape {
  const result = entryShape.safeParse(value)
  expect(result.success ? [] : result.error.issues, JSON.stringify(value)).toEqual([])
  return value as EntryShape
}

export interface Stored {
  readonly ref: Ref
  readonly bytes: Buffer
  readonly digest: string
  readonly etag: string
  readonly entry: EntryShape
}

/** Stores bytes that a test needs. */
export async function stored(
  target: Target,
  body: Uint8Array | string = random(),
  headers: HeaderLines = [],
  ref: Ref = freshRef(),
): Promise<Stored> {
  const bytes = Buffer.from(body)
  const response = await put(target, ref, bytes, headers)
  expect(response.status, response.body.toString('utf8')).toBe(201)
  const digest = sha256(bytes)
  return { ref, bytes, digest, etag: `"${digest}"`, entry: expectEntry(json(response)) }
}

/** The bytes of a version, directly or through a redirect. */
export async function fetchBytes(target: Target, path: string): Promise<Buffer> {
  const response = await get(target, path)
  if (response.status === 307) {
    const answer = await target.follow(response.headers.get('location') ?? '')
    expect(answer.status).toBe(200)
    return answer.body
  }
  expect(response.status, response.body.toString('utf8')).toBe(200)
  return response.body
}

/** Checks that a version is invisible, by its name and in the list. */
export async function expectInvisible(target: Target, ref: Ref): Promise<void> {
  expect((await get(target, versionPath(ref))).status).toBe(404)
  expect(json(await get(target, listPath(ref)))).toEqual({ versions: [], next_cursor: null })
}
