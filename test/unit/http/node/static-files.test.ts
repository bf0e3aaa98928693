/** Files next to the API: exact paths, GET and HEAD only, revalidated by their content. */
import { describe, expect, it, test } from 'vitest'
import { pageFiles } from '../../../../lib/http/node/page-files.ts'
import { staticFiles } from '../../../../lib/http/node/static-files.ts'
import type { HttpRequest } from '../../../../lib/protocol/http-message.ts'

const request = (method: string, target: string, headers: Record<string, string> = {}): HttpRequest => ({
  method,
  target,
  headers: { get: (name) => new Headers(headers).get(name) },
  size: 0,
  body: async function* () {},
  requestId: 'r-1',
  origin: 'http://127.0.0.1:9470',
})

describe('static files', () => {
  const text = 'Für Menschen\n'
  const serve = staticFiles(new Map([['/llms.txt', { text, type: 'text/plain; charset=utf-8' }]]))
  const answer = async (method: string, target: string, headers?: Record<string, string>) =>
    await serve(request(method, target, headers), {})

  it('answers GET with the text, its type and its length in bytes', async () => {
    const response = await answer('GET', '/llms.txt?utm=1')
    expect(response).toMatchObject({ status: 200, body: text })
    expect(response?.headers).toMatchObject({
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(text)),
      'Cache-Control': 'no-cache',
      'X-Content-Type-Options': 'nosniff',
      'Cross-Origin-Resource-Policy': 'same-origin',
    })
  })

  it('answers HEAD with the headers of GET and no body', async () => {
    const [get, head] = [await answer('GET', '/llms.txt'), await answer('HEAD', '/llms.txt')]
    expect(head).toEqual({ ...get, body: null })
  })

  it('answers 304 to a cache that has the same text', async () => {
    const { ETag = '' } = (await answer('GET', '/llms.txt'))?.headers ?? {}
    for (const field of [ETag, `W/${ETag}`, '*', `"other", ${ETag}`])
      expect(await answer('GET', '/llms.txt', { 'If-None-Match': field })).toMatchObject({
        status: 304,
        body: null,
      })
    expect(await answer('GET', '/llms.txt', { 'If-None-Match': '"other"' })).toMatchObject({ status: 200 })
  })

  it.each(['PUT', 'POST', 'DELETE', 'OPTIONS'])(
    'refuses %s with 405 and the methods that work',
    async (method) => {
      const response = await answer(method, '/llms.txt')
      expect(response).toMatchObject({ status: 405, headers: { Allow: 'GET, HEAD' } })
      expect(JSON.parse(String(response?.body))).toMatchObject({
        code: 'method_not_allowed',
        request_id: 'r-1',
      })
    },
  )

  it.each([
    '/',
    '/v1',
    '/LLMS.TXT',
    '/x/../llms.txt',
    '/llms%2etxt',
    '//llms.txt',
    '/llms.txt/',
    '/__proto__',
  ])('leaves %s to the API', (target) => expect(serve(request('GET', target), {})).toBeUndefined())
})

describe('the page', () => {
  const built = new Map([
    ['index.html', '<!doctype html>'],
    ['page.js', 'export {}'],
    ['page.js.map', '{}'],
  ])

  test('/ is index.html, under a policy without inline scripts, styles and frames', () => {
    const page = pageFiles(built).get('/')
    expect(page).toMatchObject({ text: '<!doctype html>', type: 'text/html; charset=utf-8' })
    const policy = page?.headers?.['Content-Security-Policy'] ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
  })

  test('a page of a server over S3 may also reach the store, and no script may come from there', () => {
    const policy = pageFiles(built, ['https:']).get('/')?.headers?.['Content-Security-Policy']
    expect(policy).toContain("connect-src 'self' https:;")
    expect(policy).toContain("script-src 'self';")
  })

  test('only files of known types are served', () => {
    expect([...pageFiles(built).keys()].sort()).toEqual(['/', '/docs', '/index.html', '/page.js'])
  })

  test('/ says how to build the page where it is not built', () => {
    const page = pageFiles(new Map()).get('/')
    expect(page).toMatchObject({ type: 'text/plain; charset=utf-8' })
    expect(page?.text).toContain('npm run build')
  })
})
