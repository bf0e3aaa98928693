/** The API's descriptions of itself: service document, health, OpenAPI, problem pages (docs/http-api.md, section 2). */

import { describe, expect, test } from 'vitest'
import { ERRORS, type ErrorCode } from '../../../lib/domain/errors.ts'
import { ERROR_STATUS } from '../../../lib/protocol/errors.ts'
import { ROUTES } from '../../../lib/protocol/routes.ts'
import { CONTRACT_ERRORS, type ContractCode, expectProblem } from '../../support/problem.ts'
import { header, type RawResponse } from '../../support/raw-http.ts'
import {
  downloadPath,
  entryPath,
  freshRef,
  get,
  json,
  listPath,
  OTHER_DIGEST,
  put,
  stored,
  versionPath,
} from './requests.ts'
import type { TargetThunk } from './target.ts'

type Json = Record<string, unknown>

export function describeService(target: TargetThunk): void {
  describe('service document', () => {
    test('names the service, the API version, the limits, and links that resolve', async () => {
      const response = await get(target(), '/v1')
      expect(response.status).toBe(200)
      expect(header(response, 'Content-Type')).toMatch(/^application\/json/)
      const document = json(response) as { limits: Json; links: Record<string, string> }
      expect(document).toMatchObject({
        service: 'bucket',
        api_version: 'v1',
        limits: { max_artifact_bytes: target().maxArtifactBytes, max_inline_bytes: target().maxInlineBytes },
      })
      const links = Object.values(document.links).filter(
        (link) => link.startsWith('/v1') && !link.includes('{'),
      )
      expect(links.length).toBeGreaterThan(0)
      for (const link of links) expect((await get(target(), link)).status, link).toBe(200)
    })

    test('health is 200 with status ok', async () => {
      const response = await get(target(), '/v1/health')
      expect(response.status).toBe(200)
      expect(json(response)).toEqual({ status: 'ok' })
    })
  })

  describe('OpenAPI document', () => {
    const read = async () => json(await get(target(), '/v1/openapi.json')) as Json

    test('is OpenAPI 3.1 and lists exactly the routes', async () => {
      const document = await read()
      expect(document.openapi).toMatch(/^3\.1\.\d+$/)
      expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) })
      const paths = document.paths as Record<string, Record<string, Json>>
      // Paths are relative to the server's URL, with or without the root, as the document says.
      const servers = (document.servers ?? []) as readonly { url: string }[]
      const root = servers.some(({ url }) => url.replace(/\/$/, '').endsWith('/v1')) ? '/v1' : ''
      const listed = Object.entries(paths).flatMap(([path, item]) =>
        Object.keys(item)
          .filter((method) => ['get', 'head', 'put', 'post', 'delete', 'patch'].includes(method))
          .map((method) => `${method.toUpperCase()} ${`${root}${path}`.replace(/\/$/, '')}`),
      )
      const routes = Object.values(ROUTES).map(({ method, path }) => `${method} /v1${path}`)
      expect(listed.sort()).toEqual(routes.sort())
    })

    test('every operation lists its responses, and every reference resolves', async () => {
      const document = await read()
      const paths = document.paths as Record<string, Record<string, { responses?: Json }>>
      for (const [path, item] of Object.entries(paths))
        for (const [method, operation] of Object.entries(item))
          if (['get', 'head', 'put', 'post', 'delete'].includes(method))
            expect(Object.keys(operation.responses ?? {}).length, `${method} ${path}`).toBeGreaterThan(0)
      const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
        ([, pointer]) => pointer,
      )
      for (const pointer of new Set(references)) {
        const found = (pointer ?? '')
          .split('/')
          .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'))
          .reduce<unknown>((at, step) => (at as Json | undefined)?.[step], document)
        expect(found, pointer).toBeDefined()
      }
    })
  })

  describe('OpenAPI document and real responses', () => {
    interface Responses {
      readonly [status: string]: { readonly headers?: Readonly<Record<string, { readonly $ref: string }>> }
    }
    interface Document {
      readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Responses }>>>>
      readonly components: { readonly headers: Readonly<Record<string, { readonly required?: boolean }>> }
    }

    test('every response has a listed status with the headers promised for it', async () => {
      const document = json(await get(target(), '/v1/openapi.json')) as unknown as Document
      const one = await stored(target(), '0123456789')
      const path = versionPath(one.ref)
      const answers: readonly (readonly [keyof typeof ROUTES, RawResponse])[] = [
        ['service', await get(target(), '/v1')],
        ['problem', await get(target(), '/v1/problems/internal')],
        ['store', await put(target(), freshRef(), 'bytes')],
        ['store', await put(target(), one.ref, 'bytes')],
        ['store', await put(target(), freshRef(), 'bytes', [['X-Artifact-Digest', OTHER_DIGEST]])],
        ['fetch', await get(target(), path)],
        ['fetch', await get(target(), path, [['Range', 'bytes=0-1']])],
        ['fetch', await get(target(), path, [['Range', 'bytes=10-']])],
        ['fetch', await get(target(), path, [['If-None-Match', one.etag]])],
        ['fetch', await get(target(), path, [['If-Unmodified-Since', 'Sun, 06 Nov 1994 08:49:37 GMT']])],
        ['fetch', await get(target(), `${path}?digest=${OTHER_DIGEST}`)],
        ['head', await get(target(), path, [], 'HEAD')],
        ['head', await get(target(), path, [['If-None-Match', '*']], 'HEAD')],
        ['head', await get(target(), versionPath(freshRef()), [], 'HEAD')],
        ['entry', await get(target(), entryPath(one.ref))],
        ['download', await get(target(), downloadPath(one.ref))],
        ['listVersions', await get(target(), listPath(one.ref))],
        ['listVersions', await get(target(), `${listPath(one.ref)}?limit=0`)],
      ]
      for (const [name, response] of answers) {
        const { method, path: template } = ROUTES[name]
        const { responses } = document.paths[`/v1${template}`]?.[method.toLowerCase()] ?? expect.fail(name)
        const described = responses[response.status] ?? expect.fail(`${name} ${response.status}`)
        if (response.status === 304 && target().cannotWitness['headers-of-304'] !== undefined) continue
        for (const promised of Object.keys(described.headers ?? {}))
          if (document.components.headers[promised]?.required)
            expect(header(response, promised), `${name} ${response.status} ${promised}`).toBeDefined()
      }
    })
  })

  describe('problem pages', () => {
    const codes = Object.keys(CONTRACT_ERRORS) as ContractCode[]

    test('the table in the code equals the table in the contract', () => {
      const coded = Object.entries(ERRORS).map(([code, { retryable }]) => [
        code,
        { retryable, status: ERROR_STATUS[code as ErrorCode] },
      ])
      const table = (rows: Record<string, { status: number; retryable: boolean }>) =>
        Object.fromEntries(
          Object.entries(rows)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([code, { status, retryable }]) => [code, { status, retryable }]),
        )
      expect(table(Object.fromEntries(coded))).toEqual(table(CONTRACT_ERRORS))
    })

    test('GET /v1/problems lists exactly the codes', async () => {
      const text = (await get(target(), '/v1/problems')).body.toString('utf8')
      const listed = new Set([...text.matchAll(/\/v1\/problems\/([a-z_]+)/g)].map(([, code]) => code))
      expect([...listed].sort()).toEqual([...codes].sort())
    })

    test('every code has a page with its status and the next step', async () => {
      for (const code of codes) {
        const response = await get(target(), `/v1/problems/${code}`)
        expect(response.status, code).toBe(200)
        const { status, retryable } = CONTRACT_ERRORS[code]
        expect(json(response), code).toMatchObject({ code, status, retryable, next: expect.any(String) })
      }
    })

    test('the type of a problem leads to its page', async () => {
      const problem = expectProblem(await get(target(), versionPath(freshRef())), 'version_not_found')
      expect(json(await get(target(), String(problem.type)))).toMatchObject({ code: 'version_not_found' })
    })

    test('an unknown code is 404', async () => {
      for (const code of ['no_such_code', 'toString', 'VERSION_EXISTS'])
        expectProblem(await get(target(), `/v1/problems/${code}`), 'route_not_found')
    })
  })
}
