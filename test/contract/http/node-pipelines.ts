/**
 * Pipelined requests on one connection, and unparseable input among them: each gets its response in order (RFC 9112, section
 * 9.3.2).
 */
import { describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import { openConnection } from '../../support/raw-socket.ts'
import { storeHead } from './node-expect.ts'
import { entryPath, expectInvisible, freshRef, get, type Ref, sha256, versionPath } from './requests.ts'
import type { TargetThunk } from './target.ts'

export function describeNodePipelines(target: TargetThunk): void {
  const root = () => new URL(target().root)
  const request = (method: string, path: string) =>
    `${method} ${path} HTTP/1.1\r\nHost: ${root().host}\r\n\r\n`
  const storeOf = (ref: Ref, bytes: string, ...more: string[]) =>
    storeHead(target(), ref, [
      `X-Artifact-Digest: ${sha256(bytes)}`,
      ...more,
      `Content-Length: ${bytes.length}`,
    ]) + bytes
  const answersTo = async (bytes: string, count: number) => {
    const connection = await openConnection(root())
    connection.write(bytes)
    return connection.answers(count)
  }
  const statuses = async (bytes: string, count: number) =>
    (await answersTo(bytes, count)).map(({ status }) => status)

  describe('pipelined requests', () => {
    test('are handled in order: the second sees what the first stored', async () => {
      const ref = freshRef()
      const both = storeOf(ref, 'pipelined') + request('GET', entryPath(ref))
      expect(await statuses(both, 2)).toEqual([201, 200])
    })

    test('get their responses even if unparseable input follows', async () => {
      const ref = freshRef()
      expect(await statuses(`${storeOf(ref, 'one byte too many')}X`, 2)).toEqual([201, 400])
      expect((await get(target(), entryPath(ref))).status).toBe(200)
      expect(await statuses(`${request('GET', '/v1/health')}NONSENSE\r\n\r\n`, 2)).toEqual([200, 400])
    })

    test('get their responses even if the body of the last one breaks off', async () => {
      const ref = freshRef()
      const lines = [`X-Artifact-Digest: ${sha256('01234')}`, 'Transfer-Encoding: chunked']
      const broken = `${storeHead(target(), ref, lines)}5\r\n01234\r\nzz\r\n`
      expect(await statuses(request('GET', '/v1/health') + broken, 2)).toEqual([200, 400])
      await expectInvisible(target(), ref)
    })

    test('do no harm when the client has disconnected', async () => {
      const ref = freshRef()
      const bytes = 'x'.repeat(Math.min(target().maxInlineBytes, 3_000_000))
      expect(await statuses(storeOf(ref, bytes), 1)).toEqual([201])
      const connection = await openConnection(root())
      connection.write(request('GET', versionPath(ref)).repeat(20))
      connection.abort()
      await connection.closed()
      expect((await get(target(), entryPath(ref))).status).toBe(200)
    })
  })

  describe('unusual requests', () => {
    test('with an unknown method get 405 and Allow on a known path, and 404 elsewhere', async () => {
      for (const method of ['BREW', 'get', 'HEADX', 'CONNECT']) {
        const [response] = await answersTo(request(method, '/v1/health'), 1)
        expectProblem(response ?? expect.fail('no answer'), 'method_not_allowed')
        expect(response && header(response, 'Allow')).toContain('GET')
      }
      const [elsewhere] = await answersTo(request('BREW', '/v1/coffee'), 1)
      expectProblem(elsewhere ?? expect.fail('no answer'), 'route_not_found')
    })

    test('with a transfer coding in addition to chunked get 400, because the digest does not cover coded bytes', async () => {
      const ref = freshRef()
      const lines = [`X-Artifact-Digest: ${sha256('01234')}`, 'Transfer-Encoding: gzip, chunked']
      const [response] = await answersTo(`${storeHead(target(), ref, lines)}5\r\n01234\r\n0\r\n\r\n`, 1)
      expectFaults(response ?? expect.fail('no answer'), 'header Transfer-Encoding')
      await expectInvisible(target(), ref)
    })

    test('have every header read, no matter how many precede it', async () => {
      const ref = freshRef()
      const many = Array.from({ length: 2_000 }, () => 'a:')
      const [response] = await answersTo(storeOf(ref, 'bytes', ...many, 'Content-Encoding: gzip'), 1)
      expectProblem(response ?? expect.fail('no answer'), 'unsupported_content_encoding')
    })
  })
}
