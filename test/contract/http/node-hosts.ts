/** The names under which the local server answers, so that no foreign page can reach it by DNS rebinding (docs/http-api.md, section 8). */
import { describe, expect, test } from 'vitest'
import { expectProblem } from '../../support/problem.ts'
import { openConnection } from '../../support/raw-socket.ts'
import { freshRef, get, put, versionPath } from './requests.ts'
import type { TargetThunk } from './target.ts'

export function describeNodeHosts(target: TargetThunk): void {
  describe('Host and Origin', () => {
    const root = () => new URL(target().root)
    const raw = async (...lines: string[]) => {
      const connection = await openConnection(root())
      connection.write([...lines, 'Connection: close', '', ''].join('\r\n'))
      return connection.answer()
    }
    const own = () => ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${root().port}`)

    test("loopback names with the server's port are accepted", async () => {
      for (const host of own())
        expect((await get(target(), '/v1/health', [['Host', host]])).status, host).toBe(200)
      const [host] = own()
      expect((await get(target(), '/v1/health', [['Host', String(host).toUpperCase()]])).status).toBe(200)
      const upper = `LOCALHOST:${root().port}`
      expect((await get(target(), '/v1/health', [['Host', upper]])).status).toBe(200)
    })

    test('any other Host is 421, for reading and for writing', async () => {
      const port = root().port
      const others = [
        'evil.example',
        `evil.example:${port}`,
        '127.0.0.1:1',
        `127.0.0.1.evil.example:${port}`,
        `localhost.evil.example:${port}`,
      ]
      for (const host of others)
        expectProblem(await get(target(), '/v1', [['Host', host]]), 'host_not_allowed')
      const ref = freshRef()
      expectProblem(await put(target(), ref, 'x', [['Host', 'evil.example']]), 'host_not_allowed')
      expect((await get(target(), versionPath(ref))).status).toBe(404)
    })

    test('health accepts any Host, so that probes work, but no foreign Origin', async () => {
      expect((await get(target(), '/v1/health', [['Host', 'pod.internal']])).status).toBe(200)
      const page = await get(target(), '/v1/health', [['Origin', 'http://evil.example']])
      expectProblem(page, 'host_not_allowed')
    })

    test('no Host is 400', async () => {
      expectProblem(await raw('GET /v1/health HTTP/1.1'), 'invalid_request')
    })

    test('two Hosts are refused', async () => {
      const [host] = own()
      const answer = await raw('GET /v1/health HTTP/1.1', `Host: ${host}`, 'Host: evil.example')
      expect([400, 421]).toContain(answer.status)
    })

    test('the authority of an absolute request target is checked like a Host', async () => {
      const [host] = own()
      const evil = await raw('GET http://evil.example/v1 HTTP/1.1', `Host: ${host}`)
      expect([400, 421]).toContain(evil.status)
    })

    test("the server's own Origin is accepted", async () => {
      for (const host of own().slice(0, 2))
        expect((await get(target(), '/v1/health', [['Origin', `http://${host}`]])).status, host).toBe(200)
    })

    test('a page of another origin can embed nothing, but may link to a resource', async () => {
      const from = (site: string, mode: string, dest: string): [string, string][] => [
        ['Sec-Fetch-Site', site],
        ['Sec-Fetch-Mode', mode],
        ['Sec-Fetch-Dest', dest],
      ]
      for (const site of ['cross-site', 'same-site'])
        for (const [mode, dest] of [
          ['no-cors', 'script'],
          ['no-cors', 'image'],
          ['navigate', 'iframe'],
        ] as const)
          expectProblem(await get(target(), '/v1', from(site, mode, dest)), 'host_not_allowed')
      for (const headers of [
        from('cross-site', 'navigate', 'document'),
        from('same-origin', 'cors', 'empty'),
        from('none', 'navigate', 'document'),
      ])
        expect((await get(target(), '/v1', headers)).status).toBe(200)
    })

    test('any other Origin is 421, for reading and for writing', async () => {
      for (const origin of ['https://evil.example', 'http://127.0.0.1:1', 'null', `https://${own()[0]}`])
        expectProblem(await get(target(), '/v1/health', [['Origin', origin]]), 'host_not_allowed')
      const ref = freshRef()
      expectProblem(await put(target(), ref, 'x', [['Origin', 'http://evil.example']]), 'host_not_allowed')
      expect((await get(target(), versionPath(ref))).status).toBe(404)
    })
  })
}
