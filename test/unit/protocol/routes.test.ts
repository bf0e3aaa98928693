/** Paths are made from the one table, each identifier as one percent-encoded segment (docs/http-api.md, sections 1 and 2). */
import { describe, expect, it } from 'vitest'
import { EMPTY_DIGEST } from '../../../lib/domain/digest.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import {
  commitPath,
  downloadPath,
  entryPath,
  problemPath,
  ROUTES,
  type RouteDescriptor,
  servicePath,
  uploadPartsPath,
  uploadPath,
  versionPath,
  versionsPath,
} from '../../../lib/protocol/routes.ts'
import { RESOURCES } from '../../contract/http/requests.ts'
import { UPLOAD_RESOURCES } from '../../contract/http/upload-requests.ts'

const ref = parseRef('prod-models/llama:3+8b/v3.1.0')
const VERSIONS = '/v1/buckets/prod-models/artifacts/llama%3A3%2B8b/versions'
const UPLOAD = `${VERSIONS}/v3.1.0/uploads/${encodeURIComponent(EMPTY_DIGEST)}`

describe('the path', () => {
  it.each([
    ['of the service', servicePath, '/v1'],
    ['of a problem', problemPath('version_exists'), '/v1/problems/version_exists'],
    ['of the versions', versionsPath(ref), VERSIONS],
    ['of a version', versionPath(ref), `${VERSIONS}/v3.1.0`],
    ['of its entry', entryPath(ref), `${VERSIONS}/v3.1.0/entry`],
    ['of its download', downloadPath(ref), `${VERSIONS}/v3.1.0/download`],
    ['of an upload', uploadPath(ref, EMPTY_DIGEST), UPLOAD],
    ['of its parts', uploadPartsPath(ref, EMPTY_DIGEST), `${UPLOAD}/parts`],
    ['of its commit', commitPath(ref, EMPTY_DIGEST), `${UPLOAD}/commit`],
  ])('%s is %s', (_, path, expected) => expect(path).toBe(expected))
})

describe('the table of routes', () => {
  it('has no method and path twice', () => {
    const all = Object.values(ROUTES).map(({ method, path }) => `${method} ${path}`)
    expect(new Set(all).size).toBe(all.length)
  })

  it('declares every reading route as read, and every writing route as write', () => {
    for (const { method, access } of Object.values(ROUTES))
      expect(access).toBe(method === 'GET' || method === 'HEAD' ? 'read' : 'write')
  })

  it('says of every route that reads a version or an upload that it may be missing', () => {
    const reads: readonly RouteDescriptor[] = Object.values(ROUTES).filter(({ access }) => access === 'read')
    for (const { path, errors = [] } of reads) {
      if (path.includes('{digest}')) expect(errors, path).toContain('upload_not_found')
      else if (path.includes('{version}')) expect(errors, path).toContain('version_not_found')
    }
  })

  it('has no way to change or delete what is stored', () => {
    const deletes = Object.entries(ROUTES).filter(([, { method }]) => method === 'DELETE')
    expect(deletes.map(([name]) => name)).toEqual(['abortUpload'])
  })

  it('has the requests that the contract suite sends, and no others', () => {
    const names = { bucketId: '{bucket_id}', artifactId: '{artifact_id}', version: '{version}' }
    const sent = [...RESOURCES, ...UPLOAD_RESOURCES].flatMap(({ methods, path }) =>
      methods.map((method) => `${method} ${decodeURIComponent(path(names, '{digest}'))}`),
    )
    const templates = sent.map((request) => request.replace('/problems/version_exists', '/problems/{code}'))
    const routes = Object.values(ROUTES).map(({ method, path }) => `${method} ${servicePath}${path}`)
    expect(templates.sort()).toEqual(routes.sort())
  })
})
