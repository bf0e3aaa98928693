/**
 * Senders that stall, disconnect, send too much or do not speak HTTP: each gets a problem, and leaves nothing (docs/http-api.md, sections 4
 * and 8).
 */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Digest, digestHex } from '../../../lib/domain/digest.ts'
import { CONTRACT_ERRORS, expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import { openConnection } from '../../support/raw-socket.ts'
import { storeHead } from './node-expect.ts'
import { expectInvisible, freshRef, get, json, put, sha256, versionPath } from './requests.ts'
import type { TargetThunk } from './target.ts'
import { begun, type Presigned, partRequest, sendPresigned } from './upload-requests.ts'

export function describeNodeSenders(target: TargetThunk): void {
  const root = () => new URL(target().root)
  const open = () => openConnection(root())
  const answerTo = async (bytes: string) => {
    const connection = await open()
    connection.write(bytes)
    return connection.answer()
  }
  const read = (path: string, ...lines: string[]) =>
    [`GET ${path} HTTP/1.1`, `Host: ${root().host}`, 'Connection: close', ...lines, '', ''].join('\r\n')
  const declares = (length: number) => [
    `X-Artifact-Digest: ${sha256('0123456789')}`,
    `Content-Length: ${length}`,
  ]

  describe('request target and headers', () => {
    test('a request target beyond 8 KiB is 414', async () => {
      const target = (length: number) => `/v1/health?${'x'.repeat(length - '/v1/health?'.length)}`
      expectProblem(await answerTo(read(target(8 * 1024 + 1))), 'uri_too_long')
      expectProblem(await answerTo(read(target(12 * 1024))), 'uri_too_long')
      // At 8 KiB it is only an unknown parameter.
      expectProblem(await answerTo(read(target(8 * 1024))), 'invalid_request')
    })

    test('headers beyond 16 KiB are 431', async () => {
      const padding = (bytes: number) => `X-Padding: ${'x'.repeat(bytes)}`
      expectProblem(await answerTo(read('/v1/health', padding(17 * 1024))), 'headers_too_large')
      const many = Array.from({ length: 300 }, (_, at) => `X-Padding-${at}: ${'x'.repeat(60)}`)
      expectProblem(await answerTo(read('/v1/health', ...many)), 'headers_too_large')
      expect((await answerTo(read('/v1/health', padding(12 * 1024)))).status).toBe(200)
    })

    test('input that is not HTTP is 400, as a problem', async () => {
      expectProblem(await answerTo('NONSENSE\r\n\r\n'), 'invalid_request')
      expectProblem(await answerTo(read('/v1/health', 'No colon here')), 'invalid_request')
    })

    test('two lengths of one body are 400, because a proxy could read it differently', async () => {
      const ref = freshRef()
      const both = storeHead(target(), ref, [...declares(10), 'Transfer-Encoding: chunked'])
      expect((await answerTo(`${both}0\r\n\r\n`)).status).toBe(CONTRACT_ERRORS.invalid_request.status)
      await expectInvisible(target(), ref)
    })
  })

  describe('senders that stall', { timeout: 30_000 }, () => {
    test('in the middle of a body get a retryable 408, and store nothing', async () => {
      const ref = freshRef()
      const response = await answerTo(`${storeHead(target(), ref, declares(10))}01234`)
      expectProblem(response, 'request_timeout')
      expect(header(response, 'Connection')).toBe('close')
      await expectInvisible(target(), ref)
      expect((await put(target(), ref, '0123456789')).status).toBe(201)
    })

    test('in the middle of a presigned request get 408, and it can be sent again', async () => {
      const ref = freshRef()
      const [bytes, digest] = ['0123456789', sha256('0123456789')]
      await begun(target(), ref, digest, { size: bytes.length, mode: 'multipart' })
      const part = await partRequest(target(), ref, digest, 1, digestHex(digest as Digest))
      const single = freshRef()
      const { request } = await begun(target(), single, digest, { size: bytes.length, mode: 'single' })
      for (const presigned of [part, request as Presigned]) {
        const { pathname, search } = new URL(presigned.url)
        const lines = Object.entries(presigned.headers).map(([name, value]) => `${name}: ${value}`)
        const head = [`PUT ${pathname}${search} HTTP/1.1`, `Host: ${root().host}`, ...lines, '', '']
        const response = await answerTo(`${head.join('\r\n')}01234`)
        expect([response.status, header(response, 'Connection')]).toEqual([408, 'close'])
        expect(json(response)).toMatchObject({ code: 'request_timeout' })
        expect((await sendPresigned(target(), presigned, bytes)).status).toBe(200)
      }
    })

    test('in the middle of the headers get 408', async () => {
      expectProblem(
        await answerTo(`GET /v1/health HTTP/1.1\r\nHost: ${root().host}\r\nX-Half`),
        'request_timeout',
      )
    })

    test('a body that keeps the least rate has no limit, however slow', async (context) => {
      const { stallMs } = target()
      if (stallMs === undefined || stallMs > 2_000)
        return context.skip('the stall limit of this front is too long to wait for')
      const ref = freshRef()
      const connection = await open()
      connection.write(storeHead(target(), ref, declares(10)))
      // Twice the limit in all, a fifth of it between two bytes.
      for (const digit of '0123456789') {
        await pause(stallMs / 5)
        connection.write(digit)
      }
      expect((await connection.answer()).status).toBe(201)
    })
  })

  describe('senders that disconnect', () => {
    test.for(['abort', 'end'] as const)(
      '%s in the middle of a body stores nothing and leaves the version free',
      async (how) => {
        const ref = freshRef()
        const connection = await open()
        connection.write(`${storeHead(target(), ref, [...declares(10), 'Expect: 100-continue'])}`)
        await connection.continued()
        connection.write('01234')
        connection[how]()
        await connection.closed()
        await expectInvisible(target(), ref)
        expect((await put(target(), ref, '0123456789')).status).toBe(201)
      },
    )

    test('abort in the middle of a chunked body stores nothing', async () => {
      const ref = freshRef()
      const lines = [
        `X-Artifact-Digest: ${sha256('01234')}`,
        'Transfer-Encoding: chunked',
        'Expect: 100-continue',
      ]
      const connection = await open()
      connection.write(storeHead(target(), ref, lines))
      await connection.continued()
      // All bytes of the digest have arrived, but not the end that says so.
      connection.write('5\r\n01234\r\n')
      connection.abort()
      await connection.closed()
      await expectInvisible(target(), ref)
    })

    test('an invalid chunk leaves no bytes in the store', async () => {
      const ref = freshRef()
      const lines = [`X-Artifact-Digest: ${sha256('01234')}`, 'Transfer-Encoding: chunked']
      const answer = await answerTo(`${storeHead(target(), ref, lines)}5\r\n01234\r\nzz\r\n`)
      expect(answer.status).toBe(400)
      await expectInvisible(target(), ref)
    })

    test('a reader that disconnects does not affect the next', async () => {
      const ref = freshRef()
      const bytes = Buffer.alloc(Math.min(target().maxInlineBytes, 1_000_000), 'reader')
      expect((await put(target(), ref, bytes)).status).toBe(201)
      const connection = await open()
      connection.write(read(versionPath(ref)))
      connection.abort()
      await connection.closed()
      const response = await get(target(), versionPath(ref))
      expect([200, 307]).toContain(response.status)
    })
  })
}
