/** `bucket mcp` as an assistant's program uses it: a real process, a real server, and the client of the protocol's own SDK. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../lib/client/node.ts'
import { MIB } from '../../lib/domain/limits.ts'
import { type FaultProxy, faultProxy } from '../support/fault-proxy.ts'
import {
  callsOf,
  createClient,
  type Era,
  MCP_COMMAND,
  type McpSession,
  startMcp,
  startMcpHttp,
} from '../support/mcp-session.ts'
import { sha256, someBytes } from '../support/random-bytes.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'

interface Stored {
  readonly pinned_ref: string
  readonly created: boolean
  readonly note?: string
}
interface Fetched {
  readonly path: string
  readonly fetched: boolean
  readonly resumed_bytes: number
}

const HELLO = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'

let folder: string
let server: Served
let proxy: FaultProxy
let bucket: BucketClient
let work: string
/** Artifacts of one test. */
let id: string
let session: McpSession | undefined
let count = 0

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'bucket-mcp-')))
  proxy = await faultProxy()
  server = await serveFolder(join(folder, 'data'), '--public-url', proxy.origin)
  proxy.target = server.url
  bucket = new BucketClient({ url: server.url })
}, 60_000)
beforeEach(async () => {
  proxy.reset()
  work = join(folder, `work-${count++}`)
  id = `mcp/test-${count}`
  await mkdir(work)
})
afterEach(async () => {
  await session?.close()
  session = undefined
})
afterAll(async () => {
  await proxy.close()
  await server.kill()
  await rm(folder, { recursive: true })
})
const at = (...names: string[]) => join(work, ...names)

async function start(options: readonly string[] = [], era: Era = 'legacy'): Promise<McpSession> {
  session = await startMcp(['--url', proxy.url, '--root', work, ...options], era)
  return session
}

describe('an assistant', { timeout: 60_000 }, () => {
  /** A session with the folders of all tests, for those that need none of their own. */
  let shared: McpSession
  beforeAll(async () => {
    shared = await startMcp(['--url', proxy.url, '--root', folder])
  }, 60_000)
  afterAll(() => shared.close())

  it.each(['legacy', 'modern'] as const)(
    'of the %s protocol stores and fetches text and files',
    async (era) => {
      const { call, client } = await start([], era)
      const pinned = `${id}/v1@${HELLO}`
      expect(await call('store_text', { ref: `${id}/v1`, text: 'hello' })).toMatchObject({
        pinned_ref: pinned,
        created: true,
        entry: { digest: HELLO, content_type: 'text/plain; charset=utf-8', uploaded_by: null },
      })
      expect(await call('fetch_text', { ref: pinned })).toEqual({
        pinned_ref: pinned,
        size: 5,
        text: 'hello',
      })
      expect(await call('fetch_file', { ref: pinned, path: 'copy' })).toMatchObject({
        path: at('copy'),
        fetched: true,
      })
      expect(await call('fetch_file', { ref: pinned, path: 'copy' })).toMatchObject({ fetched: false })
      const origin = { uploaded_by: 'assistant', provenance_source: 'run=47&step=copy' }
      expect(await call('store_file', { ref: `${id}/v2`, path: 'copy', ...origin })).toMatchObject({
        entry: { ...origin, digest: HELLO },
      })
      expect(await call('compute_digest', { path: 'copy' })).toMatchObject({ digest: HELLO, size: 5 })
      expect(await call('show_entry', { ref: `${id}/v2` })).toMatchObject({ entry: origin })
      expect(
        await call('check_refs', { refs: [pinned, `${id}/v9`, `${id}/v2@${sha256(Buffer.from('x'))}`] }),
      ).toMatchObject({
        results: [{ state: 'identical' }, { state: 'absent' }, { state: 'different', stored_digest: HELLO }],
      })
      const { contents } = await client.readResource({ uri: `bucket://${pinned}` })
      expect(contents).toMatchObject([{ text: 'hello' }])
    },
  )

  it('stores a folder and fetches it again', async () => {
    const { call } = shared
    await mkdir(at('in', 'sub'), { recursive: true })
    await writeFile(at('in', 'sub', 'a'), 'a')
    await writeFile(at('in', 'b.tmp'), 'b')
    expect(await call('push_folder', { ref: `${id}/v1`, path: at('in'), exclude: ['*.tmp'] })).toMatchObject({
      created: true,
      files: 1,
      sent_files: 1,
    })
    expect(await call('push_folder', { ref: `${id}/v1`, path: at('in'), exclude: ['*.tmp'] })).toMatchObject({
      created: false,
      sent_files: 0,
    })
    expect(await call('pull_folder', { ref: `${id}/v1`, path: at('out') })).toMatchObject({
      path: at('out'),
      files: 1,
    })
    expect(await readFile(at('out', 'sub', 'a'), 'utf8')).toBe('a')
  })

  it('pages through versions in the order of their names', async () => {
    const { call } = shared
    for (const version of ['b', 'a', 'c', 'B']) await bucket.put(`${id}/${version}`, Buffer.from(version))
    const names = async (after?: string) => {
      const page = await call<{ versions: { version: string }[]; next_after: string | null }>(
        'list_versions',
        {
          artifact: id,
          limit: 2,
          after: after ?? null,
        },
      )
      return [...page.versions.map(({ version }) => version), page.next_after]
    }
    expect(await names()).toEqual(['B', 'a', 'a'])
    expect(await names('a')).toEqual(['b', 'c', null])
  })

  it('that stores the same again succeeds; other bytes are refused with what to do', async () => {
    const { call, refused } = shared
    await call('store_text', { ref: `${id}/v1`, text: 'hello', provenance_source: 'run=1' })
    expect(await call('store_text', { ref: `${id}/v1`, text: 'hello' })).toMatchObject({ created: false })
    expect(await refused('store_text', { ref: `${id}/v1`, text: 'other' })).toMatch(
      /^error: .*other bytes \(version_exists\)\nwhy: .* from run=1 at .*\nwhy: stored is sha256:2cf2.*\nnext: Choose a new version/,
    )
    expect(
      await refused('store_text', { ref: `${id}/v1`, text: 'other', provenance_source: 'run=1' }),
    ).toContain('next: Make the output deterministic')
  })

  it('that names no version gets one from the content, and is told what "latest" means', async () => {
    const { call, refused } = shared
    const named = await call<Stored>('store_text', { ref: id, text: 'hello' })
    expect(named.pinned_ref).toBe(`${id}/sha256-2cf24dba5fb0@${HELLO}`)
    expect(await refused('fetch_text', { ref: `${id}/latest` })).toContain('ask your own registry')
    expect((await call<Stored>('store_text', { ref: `${id}/latest`, text: 'hello' })).note).toContain(
      'will not move',
    )
  })

  it('cannot leave its roots through symlinks', async () => {
    await mkdir(join(folder, 'outside'), { recursive: true })
    await writeFile(join(folder, 'outside', 'secret'), 'secret')
    await symlink(join(folder, 'outside'), at('link'))
    await bucket.put(`${id}/v1`, Buffer.from('hello'))
    const { refused } = await start()
    for (const [name, args] of [
      ['store_file', { ref: `${id}/v2`, path: 'link/secret' }],
      ['compute_digest', { path: 'link/secret' }],
      ['push_folder', { ref: `${id}/v2`, path: 'link' }],
      ['push_folder', { ref: `${id}/v2`, path: '.' }],
      ['fetch_file', { ref: `${id}/v1`, path: 'link/new' }],
      ['fetch_file', { ref: `${id}/v1`, path: 'link' }],
      ['pull_folder', { ref: `${id}/v1`, path: 'link/new' }],
    ] as const)
      expect(await refused(name, args)).toMatch(/leads outside|is a symlink|leads out of the folder|symlink/)
    expect(await readdir(join(folder, 'outside'))).toEqual(['secret'])
  })

  it('with --read-only gets only the tools that say they change nothing', async () => {
    const { client } = await start(['--read-only'])
    const all = await shared.client.listTools()
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(
      all.tools.filter(({ annotations }) => annotations?.readOnlyHint).map(({ name }) => name),
    )
    expect(tools.map(({ name }) => name)).toContain('fetch_text')
    await expect(
      client.callTool({ name: 'store_text', arguments: { ref: 'a/b/c', text: 'x' } }),
    ).rejects.toThrow('Tool store_text disabled')
    expect(client.getInstructions()).toContain('started with --read-only')
  })

  it('is told by every tool that it can be repeated and destroys nothing, and what it returns', async () => {
    const { client } = shared
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name).sort()).toEqual([
      'check_refs',
      'compute_digest',
      'fetch_file',
      'fetch_text',
      'list_versions',
      'pull_folder',
      'push_folder',
      'show_entry',
      'store_file',
      'store_text',
    ])
    for (const { annotations, outputSchema, inputSchema } of tools) {
      expect(annotations).toMatchObject({ destructiveHint: false, idempotentHint: true })
      expect(outputSchema?.type).toBe('object')
      expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false })
    }
  })

  it('finds the guide as a resource and as a prompt', async () => {
    const { client } = shared
    const guide = await readFile('docs/for-assistants.md', 'utf8')
    expect((await client.readResource({ uri: 'bucket://guide' })).contents).toMatchObject([{ text: guide }])
    expect((await client.getPrompt({ name: 'bucket_guide' })).messages).toMatchObject([
      { content: { type: 'text', text: guide } },
    ])
    await expect(client.readResource({ uri: 'bucket://mcp/none/v1' })).rejects.toThrow(
      'ask your own registry',
    )
  })
})

describe('an assistant that calls', { timeout: 60_000 }, () => {
  let root: string
  let shared: McpSession
  beforeAll(async () => {
    root = join(folder, 'wrong-calls')
    await mkdir(root)
    await writeFile(join(root, 'other'), 'other')
    await bucket.put('mcp/known/v1', Buffer.from('hello'))
    await bucket.put('mcp/bytes/v1', Buffer.from([0xff, 0xfe]))
    shared = await startMcp(['--url', server.url, '--root', root])
  }, 60_000)
  afterAll(() => shared.close())

  it.each([
    [
      'store_text',
      { ref: 'one/two three/-', text: 'x' },
      /artifact_id contains " ".*\nwhy: version begins with "-"/,
    ],
    [
      'store_text',
      { ref: 'a/b/c', text: 'x', overwrite: true },
      /"overwrite"[\s\S]*next: .*arguments are ref, text/,
    ],
    ['store_text', { ref: 'a/b/c' }, /text: .*\nnext: /],
    ['store_text', { ref: 'a/b/c', text: 'x'.repeat(MIB + 1) }, /next: .*store_file/],
    ['store_text', { ref: 'a/b/c', text: 'half \ud83d' }, /surrogate/],
    ['store_text', { ref: 'a/b/c@md5:1', text: 'x' }, /digest .*\nnext: Correct/],
    ['store_text', { ref: `a/b/c@${HELLO}`, text: 'x' }, /digest_mismatch/],
    ['store_file', { ref: 'a/b/c', path: 'none' }, /ENOENT[\s\S]*next: Check the path/],
    ['store_file', { ref: 'a/b/c', path: '.' }, /next: Store a folder with push_folder/],
    ['store_file', { ref: 'a/b/c', path: '/etc/passwd' }, /leads outside[\s\S]*next: Use a path inside of/],
    ['fetch_file', { ref: 'mcp/known/v1', path: '../x' }, /leads outside/],
    ['fetch_file', { ref: 'mcp/known/v1', path: 'none/x' }, /next: .*folder that exists/],
    ['fetch_file', { ref: 'mcp/known/v1', path: 'other' }, /next: Choose another path/],
    ['fetch_text', { ref: 'mcp/known/v1', max_bytes: 2 }, /next: .*max_bytes: 5/],
    ['fetch_text', { ref: 'mcp/bytes/v1' }, /not UTF-8[\s\S]*next: .*fetch_file/],
    ['fetch_text', { ref: `mcp/known/v1@sha256:${'0'.repeat(64)}` }, /digest_differs[\s\S]*next: Do not use/],
    ['show_entry', { ref: `mcp/known/v1@sha256:${'0'.repeat(64)}` }, /next: Do not use/],
    ['pull_folder', { ref: 'mcp/known/v1', path: 'y' }, /next: .*fetch_file/],
    ['check_refs', { refs: [] }, /refs: /],
    [
      'check_refs',
      { refs: ['mcp/known/v1', 'one/two', 'mcp/-/v1', 'mcp/known/v1@sha256:1'] },
      /refs\[1\] is "one\/two".*\nwhy: refs\[2\].*artifact_id begins with "-".*\nwhy: refs\[3\].*digest/,
    ],
    [
      'check_refs',
      { refs: Array.from({ length: 100 }, () => 'wrong') },
      /^(?:error.*\n)(?:why: refs\[\d+\].*\n){20}why: refs has 80 more invalid refs\nnext: /,
    ],
  ])('%s with %j is told what is wrong and what to do', async (name, args, expected) => {
    expect(await shared.refused(name, args)).toMatch(expected)
    expect(await readdir(root)).toEqual(['other'])
  })
})

describe('a large transfer', { timeout: 120_000 }, () => {
  /** Large enough for two ranges at once, and for parts. */
  const SIZE = 66 * MIB
  const bytes = someBytes(SIZE)
  beforeAll(async () => {
    await bucket.put('mcp/large/v1', bytes)
  })

  /** Stops the traffic to the client once this many bytes have passed. */
  const stallAfter = (limit: number) =>
    new Promise<void>((resolve) => {
      proxy.alter = (piece, passed) => {
        if (passed > limit) {
          proxy.stall()
          resolve()
        }
        return piece
      }
    })
  const continueTraffic = () => {
    proxy.alter = undefined
    proxy.restore()
  }

  it.each(['legacy', 'modern'] as const)(
    'to a file reports progress, and after a cancellation (%s) says what is kept and continues from there',
    async (era) => {
      const { client, call, log } = await start([], era)
      const told: string[] = []
      client.setNotificationHandler('notifications/message', ({ params }) => {
        told.push(String(params.data))
      })
      const stalled = stallAfter(40 * MIB)
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
      expect(await readdir(work)).toEqual([expect.stringMatching(/^\.[0-9a-f]{64}\.bucket-partial$/)])

      continueTraffic()
      const result = await call<Fetched>('fetch_file', { ref: 'mcp/large/v1', path: 'model' })
      expect(result.resumed_bytes).toBeGreaterThan(10 * MIB)
      expect((await readFile(at('model'))).equals(bytes)).toBe(true)
      expect(await readdir(work)).toEqual(['model'])
    },
  )

  it('from a file that is cancelled sends only what is missing when it is called again', async () => {
    await writeFile(at('model'), someBytes(SIZE))
    const { call, log } = await start()
    const stop = new AbortController()
    const sending = call(
      'store_file',
      { ref: `${id}/v1`, path: 'model' },
      {
        signal: stop.signal,
        onprogress: ({ message }) => {
          if (/^uploading: [1-9]/.test(message ?? '')) stop.abort()
        },
      },
    )
    await expect(sending).rejects.toThrow()
    await expect.poll(log).toMatch(/"outcome":"cancelled","kept":"\d+ of 69206016 bytes have arrived/)
    await expect(bucket.entry(`${id}/v1`)).rejects.toThrow('not stored')

    const messages: string[] = []
    const again = await call<Stored>(
      'store_file',
      { ref: `${id}/v1`, path: 'model' },
      {
        onprogress: ({ message }) => messages.push(message ?? ''),
      },
    )
    expect(again.created).toBe(true)
    expect(messages.find((message) => message.startsWith('uploading'))).not.toMatch(/^uploading: 0 /)
  })

  it('is kept when the assistant closes stdin in the middle, and the process ends', async () => {
    const child = spawn(process.execPath, [...MCP_COMMAND, '--url', proxy.url, '--root', work])
    const lines: string[] = []
    let log = ''
    child.stdout.on('data', (text) => lines.push(String(text)))
    child.stderr.on('data', (text) => (log += text))
    const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
    const stalled = stallAfter(40 * MIB)
    send({ id: 1, method: 'initialize', params: INITIALIZE })
    send({ method: 'notifications/initialized' })
    const args = { ref: 'mcp/large/v1', path: 'model' }
    send({ id: 2, method: 'tools/call', params: { name: 'fetch_file', arguments: args } })
    await stalled
    child.stdin.end()
    expect((await once(child, 'close'))[0]).toBe(0)
    expect(await readdir(work)).toEqual([expect.stringMatching(/^\.[0-9a-f]{64}\.bucket-partial$/)])
    expect(log).toMatch(
      /"operation":"fetch_file","outcome":"cancelled","kept":"\d+ of 69206016 bytes are kept/,
    )
    for (const line of lines.join('').trim().split('\n')) expect(JSON.parse(line).jsonrpc).toBe('2.0')
  })

  it('that fails says what is kept', async () => {
    const { refused } = await start(['--timeout', '1s'])
    proxy.alter = (piece, passed) => {
      if (passed > 40 * MIB) proxy.fail()
      return piece
    }
    expect(await refused('fetch_file', { ref: 'mcp/large/v1', path: 'model' })).toMatch(
      /why: \d+ of 69206016 bytes are kept in .*; the same call continues from there\.\nnext: /,
    )
  })
})

const INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
}

describe('bucket mcp', { timeout: 60_000 }, () => {
  const run = async (input: string | undefined, ...options: string[]) => {
    const child = spawn(process.execPath, [...MCP_COMMAND, '--url', server.url, ...options])
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text) => (stdout += text))
    child.stderr.on('data', (text) => (stderr += text))
    if (input !== undefined) child.stdin.end(input)
    const [exit] = await once(child, 'close')
    return { exit, stdout, stderr }
  }

  it('ends when stdin is closed, and keeps stdout for the protocol', async () => {
    const { exit, stdout, stderr } = await run('', '--root', work)
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({ operation: 'start', roots: [work], read_only: false })
  })

  it('survives input that is not a message', async () => {
    const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE })
    const child = spawn(process.execPath, [...MCP_COMMAND, '--url', server.url, '--root', work])
    child.stderr.resume()
    child.stdin.write(`garbage\n{"jsonrpc":"2.0"}\n[]\n${ping}\n`)
    const [line] = await once(child.stdout, 'data')
    expect(JSON.parse(String(line))).toMatchObject({ id: 1, result: { serverInfo: { name: 'bucket' } } })
    child.stdin.end()
    expect((await once(child, 'exit'))[0]).toBe(0)
  })

  it('ends with exit 2 and keeps stdout empty if a root does not exist, or is a file', async () => {
    expect(await run(undefined, '--root', join(work, 'none'))).toMatchObject({ exit: 2, stdout: '' })
    await writeFile(at('file'), '')
    expect(await run(undefined, '--root', at('file'))).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringMatching(/is a file[\s\S]*next: Name a folder with --root/),
    })
  })

  it('tells an assistant that the Bucket server does not answer', async () => {
    session = await startMcp(['--url', 'http://127.0.0.1:9/v1', '--root', work, '--timeout', '1s'])
    expect(await session.refused('show_entry', { ref: 'a/b/c' })).toMatch(
      /^error: No usable answer[\s\S]*next: .*tell the user/,
    )
  })
})

describe('bucket mcp --http', { timeout: 120_000 }, () => {
  const startHttp = () => startMcpHttp(['--url', proxy.url, '--root', folder])
  let mcp: Awaited<ReturnType<typeof startHttp>>
  beforeAll(async () => {
    mcp = await startHttp()
  })
  afterAll(() => mcp.stop())

  it.each(['legacy', 'modern'] as const)('serves the same tools, with progress (%s)', async (era) => {
    const client = createClient(era)
    await client.connect(new StreamableHTTPClientTransport(new URL(mcp.url)))
    const { call, refused } = callsOf(client)
    await writeFile(at('model'), Buffer.alloc(8 * MIB, count))
    const progress: number[] = []
    const stored = await call<Stored>(
      'store_file',
      { ref: `${id}/v1`, path: at('model') },
      {
        onprogress: (report) => progress.push(report.progress),
      },
    )
    expect(stored.created).toBe(true)
    expect(progress.at(-1)).toBeGreaterThanOrEqual(8 * MIB)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(await refused('fetch_file', { ref: `${id}/v1`, path: '../x' })).toContain('leads outside')
    await client.close()
  })

  const SIZE = 48 * MIB
  /** Resolves when the traffic to the client has stopped in the middle of a fetch. */
  async function stalledFetch(fetch: () => void): Promise<void> {
    await bucket.put(`${id}/v1`, Buffer.alloc(SIZE, count))
    const stalled = new Promise<void>((resolve) => {
      proxy.alter = (piece, passed) => {
        if (passed > SIZE / 2) {
          proxy.stall()
          resolve()
        }
        return piece
      }
    })
    fetch()
    await stalled
  }
  const partials = async () => (await readdir(work)).join()
  const PARTIAL = /^\.[0-9a-f]{64}\.bucket-partial$/

  it('ends the transfer of a client that cancels, and keeps what arrived', async () => {
    const client = createClient('modern')
    await client.connect(new StreamableHTTPClientTransport(new URL(mcp.url)))
    const stop = new AbortController()
    let cancelled: Promise<unknown> | undefined
    await stalledFetch(() => {
      cancelled = callsOf(client).call(
        'fetch_file',
        { ref: `${id}/v1`, path: at('model') },
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
      const params = { name: 'fetch_file', arguments: { ref: `${id}/v1`, path: at('model') } }
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
