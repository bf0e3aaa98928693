/** `bucket mcp` on stdin and stdout: transfers that are cancelled or fail, and how the process ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { MIB } from '../../lib/domain/limits.ts'
import { MCP_COMMAND } from '../support/mcp-session.ts'
import { someBytes } from '../support/random-bytes.ts'
import { INITIALIZE, mcpUnderTest, PARTIAL, type Stored } from './mcp-under-test.ts'

const given = mcpUnderTest()

interface Fetched {
  readonly path: string
  readonly fetched: boolean
  readonly resumed_bytes: number
}

describe('a large transfer', { timeout: 120_000 }, () => {
  /** Large enough for two ranges at once, and for parts. */
  const SIZE = 66 * MIB
  const bytes = someBytes(SIZE)
  beforeAll(async () => {
    await given.bucket.put('mcp/large/v1', bytes)
  })

  const continueTraffic = () => {
    given.proxy.alter = undefined
    given.proxy.restore()
  }

  it.each(['legacy', 'modern'] as const)(
    'to a file reports progress, and after a cancellation (%s) says what is kept and continues from there',
    async (era) => {
      const { client, call, log } = await given.start([], era)
      const told: string[] = []
      client.setNotificationHandler('notifications/message', ({ params }) => {
        told.push(String(params.data))
      })
      const stalled = given.stallAfter(40 * MIB)
      const stop = new AbortController()
      const progress: number[] = []
      const cancelled = call(
        'fetch_file',
        { ref: 'mcp/large/v1', path: 'model' },
        {
          signal: stop.signal,
          onprogress: (report) => progress.push(report.progress),
        },
      )
      await stalled
      await expect.poll(() => progress.length).toBeGreaterThan(0)
      stop.abort()
      await expect(cancelled).rejects.toThrow()
      await expect
        .poll(log)
        .toMatch(/"outcome":"cancelled","kept":"\d+ of 69206016 bytes are kept in .*bucket-partial/)
      if (era === 'legacy')
        await expect.poll(() => told.join()).toContain('the same call continues from there')
      expect(await readdir(given.work)).toEqual([expect.stringMatching(PARTIAL)])

      continueTraffic()
      const result = await call<Fetched>('fetch_file', { ref: 'mcp/large/v1', path: 'model' })
      expect(result.resumed_bytes).toBeGreaterThan(10 * MIB)
      expect((await readFile(given.at('model'))).equals(bytes)).toBe(true)
      expect(await readdir(given.work)).toEqual(['model'])
    },
  )

  it('from a file that is cancelled sends only what is missing when it is called again', async () => {
    await writeFile(given.at('model'), someBytes(SIZE))
    const { call, log } = await given.start()
    const stop = new AbortController()
    const sending = call(
      'store_file',
      { ref: `${given.id}/v1`, path: 'model' },
      {
        signal: stop.signal,
        onprogress: ({ message }) => {
          if (/^uploading: [1-9]/.test(message ?? '')) stop.abort()
        },
      },
    )
    await expect(sending).rejects.toThrow()
    await expect.poll(log).toMatch(/"outcome":"cancelled","kept":"\d+ of 69206016 bytes have arrived/)
    await expect(given.bucket.entry(`${given.id}/v1`)).rejects.toThrow('not stored')

    const messages: string[] = []
    const again = await call<Stored>(
      'store_file',
      { ref: `${given.id}/v1`, path: 'model' },
      {
        onprogress: ({ message }) => messages.push(message ?? ''),
      },
    )
    expect(again.created).toBe(true)
    expect(messages.find((message) => message.startsWith('uploading'))).not.toMatch(/^uploading: 0 /)
  })

  it('is kept when the assistant closes stdin in the middle, and the process ends', async () => {
    const child = spawn(process.execPath, [...MCP_COMMAND, '--url', given.proxy.url, '--root', given.work])
    const lines: string[] = []
    let log = ''
    child.stdout.on('data', (text) => lines.push(String(text)))
    child.stderr.on('data', (text) => (log += text))
    const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
    const stalled = given.stallAfter(40 * MIB)
    send({ id: 1, method: 'initialize', params: INITIALIZE })
    send({ method: 'notifications/initialized' })
    const args = { ref: 'mcp/large/v1', path: 'model' }
    send({ id: 2, method: 'tools/call', params: { name: 'fetch_file', arguments: args } })
    await stalled
    child.stdin.end()
    expect((await once(child, 'close'))[0]).toBe(0)
    expect(await readdir(given.work)).toEqual([expect.stringMatching(PARTIAL)])
    expect(log).toMatch(
      /"operation":"fetch_file","outcome":"cancelled","kept":"\d+ of 69206016 bytes are kept/,
    )
    for (const line of lines.join('').trim().split('\n')) expect(JSON.parse(line).jsonrpc).toBe('2.0')
  })

  it('that fails says what is kept', async () => {
    const { refused } = await given.start(['--timeout', '1s'])
    given.proxy.alter = (piece, passed) => {
      if (passed > 40 * MIB) given.proxy.fail()
      return piece
    }
    expect(await refused('fetch_file', { ref: 'mcp/large/v1', path: 'model' })).toMatch(
      /why: \d+ of 69206016 bytes are kept in .*; the same call continues from there\.\nnext: /,
    )
  })
})

describe('bucket mcp', { timeout: 60_000 }, () => {
  const run = async (input: string | undefined, ...options: string[]) => {
    const child = spawn(process.execPath, [...MCP_COMMAND, '--url', given.url, ...options])
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text) => (stdout += text))
    child.stderr.on('data', (text) => (stderr += text))
    if (input !== undefined) child.stdin.end(input)
    const [exit] = await once(child, 'close')
    return { exit, stdout, stderr }
  }

  it('ends when stdin is closed, and keeps stdout for the protocol', async () => {
    const { exit, stdout, stderr } = await run('', '--root', given.work)
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({ operation: 'start', roots: [given.work], read_only: false })
  })

  it('survives input that is not a message', async () => {
    const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE })
    const child = spawn(process.execPath, [...MCP_COMMAND, '--url', given.url, '--root', given.work])
    child.stderr.resume()
    child.stdin.write(`garbage\n{"jsonrpc":"2.0"}\n[]\n${ping}\n`)
    const [line] = await once(child.stdout, 'data')
    expect(JSON.parse(String(line))).toMatchObject({ id: 1, result: { serverInfo: { name: 'bucket' } } })
    child.stdin.end()
    expect((await once(child, 'exit'))[0]).toBe(0)
  })

  it('ends with exit 2 and keeps stdout empty if a root does not exist, or is a file', async () => {
    expect(await run(undefined, '--root', join(given.work, 'none'))).toMatchObject({ exit: 2, stdout: '' })
    await writeFile(given.at('file'), '')
    expect(await run(undefined, '--root', given.at('file'))).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringMatching(/is a file[\s\S]*next: Name a folder with --root/),
    })
  })

  it('tells an assistant that the Bucket server does not answer', async () => {
    const session = await given.start(['--url', 'http://127.0.0.1:9/v1', '--timeout', '1s'])
    expect(await session.refused('show_entry', { ref: 'a/b/c' })).toMatch(
      /^error: No usable answer[\s\S]*next: .*tell the user/,
    )
  })
})
