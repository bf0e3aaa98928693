/** The resources about the API itself: service document, health, OpenAPI document, and what each error code means. */

import { BucketError, ERRORS, type ErrorCode, isErrorCode } from '../domain/errors.ts'
import { MAX_PAGE_LIMIT, MAX_PARTS_PER_REQUEST, MAX_SINGLE_BYTES } from '../domain/limits.ts'
import { ERROR_STATUS } from '../protocol/errors.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import type { ServiceMessage } from '../protocol/messages.ts'
import { API_ROOT, problemPath, ROUTES } from '../protocol/routes.ts'
import type { Repository } from '../repository/repository.ts'
import type { Inputs } from './inputs.ts'
import { json } from './json.ts'
import { openApiDocument } from './openapi.ts'
import type { Operation } from './operation.ts'

/** What is about the API, not about artifacts, may be kept by anybody for a while. */
const KEEP_AN_HOUR = { 'Cache-Control': 'public, max-age=3600' }

export function service(repository: Repository, inputs: Inputs): HttpResponse {
  inputs.query()
  inputs.throwIfAny()
  const message: ServiceMessage = {
    service: 'bucket',
    api_version: 'v1',
    limits: {
      max_artifact_bytes: repository.maxArtifactBytes,
      max_inline_bytes: repository.maxInlineBytes,
      max_single_bytes: Math.min(MAX_SINGLE_BYTES, repository.maxArtifactBytes),
      max_parts_per_request: MAX_PARTS_PER_REQUEST,
      max_page_limit: MAX_PAGE_LIMIT,
    },
    links: {
      self: API_ROOT,
      health: `${API_ROOT}${ROUTES.health.path}`,
      openapi: `${API_ROOT}${ROUTES.openapi.path}`,
      problems: `${API_ROOT}${ROUTES.problems.path}`,
      versions: `${API_ROOT}${ROUTES.listVersions.path}`,
      version: `${API_ROOT}${ROUTES.fetch.path}`,
      upload: `${API_ROOT}${ROUTES.beginUpload.path}`,
    },
  }
  return json(200, message)
}

export async function health(
  repository: Repository,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  inputs.query()
  inputs.throwIfAny()
  try {
    await repository.check(operation)
  } catch (error) {
    throw BucketError.unavailable('a store does not answer as it should', error)
  }
  return json(200, { status: 'ok' })
}

let openApiText: string | undefined

export function openapi(inputs: Inputs): HttpResponse {
  inputs.query()
  inputs.throwIfAny()
  openApiText ??= JSON.stringify(openApiDocument())
  return { status: 200, headers: { 'Content-Type': 'application/json', ...KEEP_AN_HOUR }, body: openApiText }
}

export function problems(request: HttpRequest, inputs: Inputs): HttpResponse {
  inputs.query()
  inputs.throwIfAny()
  const pages = (Object.keys(ERRORS) as ErrorCode[]).map(problemPage)
  return page(request, { problems: pages }, pages)
}

export function problem(request: HttpRequest, inputs: Inputs, code: string): HttpResponse {
  inputs.query()
  inputs.throwIfAny()
  if (!isErrorCode(code))
    throw new BucketError('route_not_found', `${JSON.stringify(code)} is no error code of this API`, {})
  return page(request, problemPage(code), [problemPage(code)])
}

type Page = ReturnType<typeof problemPage>

function problemPage(code: ErrorCode) {
  const { retryable, title, meaning, next } = ERRORS[code]
  const status = ERROR_STATUS[code]
  return { type: problemPath(code), code, status, retryable, title, meaning, next }
}

/** JSON for programs; a plain page for whoever follows the `type` of a problem in a browser. */
function page(request: HttpRequest, message: unknown, pages: readonly Page[]): HttpResponse {
  const headers = { ...KEEP_AN_HOUR, Vary: 'Accept' }
  if (!/\btext\/html\b/.test(request.headers.get('Accept') ?? '')) return json(200, message, headers)
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${pages.length === 1 && pages[0] ? escapeHtml(pages[0].title) : 'Problems'} – Bucket</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}code{background:#8882;padding:.1em .3em}h2{margin-bottom:0}</style>
${pages.map(section).join('\n')}</html>`
  const policy = "default-src 'none'; style-src 'unsafe-inline'"
  return {
    status: 200,
    headers: { ...headers, 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy },
    body,
  }
}

const section = ({ code, status, retryable, title, meaning, next }: Page): string =>
  `<h2 id="${code}">${escapeHtml(title)}</h2>
<p><code>${code}</code> · ${status} · ${retryable ? 'a retry can help' : 'a retry does not help'}</p>
<p>${escapeHtml(meaning)}</p><p><b>What to do:</b> ${escapeHtml(next)}</p>`

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
