/** `bucket mcp --http`: the same tools over HTTP, whose transfers end with their clients. */
import { readdir, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MIB } from '../../lib/domain/limits.ts'
import { callsOf, createClient, startMcpHttp } from '../support/mcp-session.ts'
import { mcpUnderTest, PARTIAL, type Stored } from './mcp-under-test.ts'

const given = mcpUnderTest()

describe('bucket mcp --http', { timeout: 120_000 }, () => {
  const startHttp = () => startMcpHttp(['--url', given.proxy.url, '--root', given.folder])
  let mcp: Awaited<ReturnType<typeof startHttp>>
  beforeAll(async () => {
    mcp = await startHttp()
  })
  afterAll(() => mcp.stop())

  it.each(['legacy', 'modern'] as const)('serves the same tools, with progress (%s)', async (era) => {
    const client = createClient(era)
    await client.connect(new StreamableHTTPClientTransport(new URL(mcp.url)))
    const { call, refused } = callsOf(client)
    await writeFile(given.at('model'), Buffer.alloc(8 * MIB, given.id))
    const progress: number[] = []
    const stored = await call<Stored>(
      'store_file',
      { ref: `${given.id}/v1`, path: given.at('model') },
      {
        onprogress: (report) => progress.push(report.progress),
      },
    )
    expect(stored.created).toBe(true)
    expect(progress.at(-1)).toBeGreaterThanOrEqual(8 * MIB)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(await refused('fetch_file', { ref: `${given.id}/v1`, path: '../x' })).toContain('leads outside')
    await client.close()
  })

  const SIZE = 48 * MIB
  /** Resolves when the traffic to the client has stopped in the middle of a fetch. */
  async function stalledFetch(fetch: () => void): Promise<void> {
    await given.bucket.put(`${given.id}/v1`, Buffer.alloc(SIZE, given.id))
    const stalled = given.stallAfter(SIZE / 2)
    fetch()
    await stalled
  }
  const partials = async () => (await readdir(given.work)).join()

  it('ends the transfer of a client that cancels, and keeps what arrived', async () => {
    const client = createClient('modern')
    await client.connect(new StreamableHTTPClientTransport(new URL(mcp.url)))
    const stop = new AbortController()
    let cancelled: Promise<unknown> | undefined
    await stalledFetch(() => {
      cancelled = callsOf(client).call(
        'fetch_file',
        { ref: `${given.id}/v1`, path: given.at('model') },
        { signal: stop.signal },
      )
      cancelled.catch(() => {})
    })
    stop.abort()
    await expect(cancelled).rejects.toThrow()
    await expect.poll(partials).toMatch(PARTIAL)
    await client.close()
  })

  it.each(['its client disconnects', 'it is stopped'])(
    'ends the transfer of a call of an older revision when %s, and keeps what arrived',
    async (how) => {
      const asked = how === 'it is stopped' ? await startHttp() : mcp
      const params = { name: 'fetch_file', arguments: { ref: `${given.id}/v1`, path: given.at('model') } }
      const headers = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }
      const outgoing = request(asked.url, { method: 'POST', headers }).on('error', () => {})
      await stalledFetch(() =>
        outgoing.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })),
      )
      if (how === 'it is stopped') expect(await asked.stop()).toBe(0)
      else outgoing.destroy()
      await expect.poll(partials).toMatch(PARTIAL)
    },
  )

  const answer = (headers: Record<string, string>, path = '/mcp') =>
    new Promise<number | undefined>((resolve, reject) => {
      const { port } = new URL(mcp.url)
      request({ port, host: '127.0.0.1', path, method: 'POST', headers }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end('{}')
    })

  it('refuses foreign hosts and pages, and other paths', async () => {
    const host = new URL(mcp.url).host
    expect(await answer({ Host: 'rebound.example' })).toBe(403)
    expect(await answer({ Host: host, Origin: 'https://page.example' })).toBe(403)
    expect(await answer({ Host: host, Origin: 'null' })).toBe(403)
    expect(await answer({ Host: host }, '/')).toBe(404)
  })

  it('listens on loopback only, and stops on SIGTERM', async () => {
    const own = await startHttp()
    expect(new URL(own.url).hostname).toBe('127.0.0.1')
    expect(await own.stop()).toBe(0)
  })
})
