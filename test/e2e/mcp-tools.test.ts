/** The tools of `bucket mcp`, as an assistant calls them: a real process, a real server, and the client of the protocol's own SDK. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MIB } from '../../lib/domain/limits.ts'
import { type McpSession, startMcp } from '../support/mcp-session.ts'
import { sha256 } from '../support/random-bytes.ts'
import { HELLO, mcpUnderTest, type Stored } from './mcp-under-test.ts'

const given = mcpUnderTest()

describe('an assistant', { timeout: 60_000 }, () => {
  /** A session with the folders of all tests, for those that need none of their own. */
  let shared: McpSession
  beforeAll(async () => {
    shared = await startMcp(['--url', given.proxy.url, '--root', given.folder])
  }, 60_000)
  afterAll(() => shared.close())

  it.each(['legacy', 'modern'] as const)(
    'of the %s protocol stores and fetches text and files',
    async (era) => {
      const { call, client } = await given.start([], era)
      const pinned = `${given.id}/v1@${HELLO}`
      expect(await call('store_text', { ref: `${given.id}/v1`, text: 'hello' })).toMatchObject({
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
        path: given.at('copy'),
        fetched: true,
      })
      expect(await call('fetch_file', { ref: pinned, path: 'copy' })).toMatchObject({ fetched: false })
      const origin = { uploaded_by: 'assistant', provenance_source: 'run=47&step=copy' }
      expect(await call('store_file', { ref: `${given.id}/v2`, path: 'copy', ...origin })).toMatchObject({
        entry: { ...origin, digest: HELLO },
      })
      expect(await call('compute_digest', { path: 'copy' })).toMatchObject({ digest: HELLO, size: 5 })
      expect(await call('show_entry', { ref: `${given.id}/v2` })).toMatchObject({ entry: origin })
      expect(
        await call('check_refs', {
          refs: [pinned, `${given.id}/v9`, `${given.id}/v2@${sha256(Buffer.from('x'))}`],
        }),
      ).toMatchObject({
        results: [{ state: 'identical' }, { state: 'absent' }, { state: 'different', stored_digest: HELLO }],
      })
      const { contents } = await client.readResource({ uri: `bucket://${pinned}` })
      expect(contents).toMatchObject([{ text: 'hello' }])
    },
  )

  it('stores a folder and fetches it again', async () => {
    const { call } = shared
    await mkdir(given.at('in', 'sub'), { recursive: true })
    await writeFile(given.at('in', 'sub', 'a'), 'a')
    await writeFile(given.at('in', 'b.tmp'), 'b')
    expect(
      await call('push_folder', { ref: `${given.id}/v1`, path: given.at('in'), exclude: ['*.tmp'] }),
    ).toMatchObject({
      created: true,
      files: 1,
      sent_files: 1,
    })
    expect(
      await call('push_folder', { ref: `${given.id}/v1`, path: given.at('in'), exclude: ['*.tmp'] }),
    ).toMatchObject({
      created: false,
      sent_files: 0,
    })
    expect(await call('pull_folder', { ref: `${given.id}/v1`, path: given.at('out') })).toMatchObject({
      path: given.at('out'),
      files: 1,
    })
    expect(await readFile(given.at('out', 'sub', 'a'), 'utf8')).toBe('a')
  })

  it('pages through versions in the order of their names', async () => {
    const { call } = shared
    for (const version of ['b', 'a', 'c', 'B'])
      await given.bucket.put(`${given.id}/${version}`, Buffer.from(version))
    const names = async (after?: string) => {
      const page = await call<{ versions: { version: string }[]; next_after: string | null }>(
        'list_versions',
        {
          artifact: given.id,
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
    await call('store_text', { ref: `${given.id}/v1`, text: 'hello', provenance_source: 'run=1' })
    expect(await call('store_text', { ref: `${given.id}/v1`, text: 'hello' })).toMatchObject({
      created: false,
    })
    expect(await refused('store_text', { ref: `${given.id}/v1`, text: 'other' })).toMatch(
      /^error: .*other bytes \(version_exists\)\nwhy: .* from run=1 at .*\nwhy: stored is sha256:2cf2.*\nnext: Choose a new version/,
    )
    expect(
      await refused('store_text', { ref: `${given.id}/v1`, text: 'other', provenance_source: 'run=1' }),
    ).toContain('next: Make the output deterministic')
  })

  it('that names no version gets one from the content, and is told what "latest" means', async () => {
    const { call, refused } = shared
    const named = await call<Stored>('store_text', { ref: given.id, text: 'hello' })
    expect(named.pinned_ref).toBe(`${given.id}/sha256-2cf24dba5fb0@${HELLO}`)
    expect(await refused('fetch_text', { ref: `${given.id}/latest` })).toContain('ask your own registry')
    expect((await call<Stored>('store_text', { ref: `${given.id}/latest`, text: 'hello' })).note).toContain(
      'will not move',
    )
  })

  it('cannot leave its roots through symlinks', async () => {
    await mkdir(join(given.folder, 'outside'), { recursive: true })
    await writeFile(join(given.folder, 'outside', 'secret'), 'secret')
    await symlink(join(given.folder, 'outside'), given.at('link'))
    await given.bucket.put(`${given.id}/v1`, Buffer.from('hello'))
    const { refused } = await given.start()
    for (const [name, args] of [
      ['store_file', { ref: `${given.id}/v2`, path: 'link/secret' }],
      ['compute_digest', { path: 'link/secret' }],
      ['push_folder', { ref: `${given.id}/v2`, path: 'link' }],
      ['push_folder', { ref: `${given.id}/v2`, path: '.' }],
      ['fetch_file', { ref: `${given.id}/v1`, path: 'link/new' }],
      ['fetch_file', { ref: `${given.id}/v1`, path: 'link' }],
      ['pull_folder', { ref: `${given.id}/v1`, path: 'link/new' }],
    ] as const)
      expect(await refused(name, args)).toMatch(/leads outside|is a symlink|leads out of the folder|symlink/)
    expect(await readdir(join(given.folder, 'outside'))).toEqual(['secret'])
  })

  it('with --read-only gets only the tools that say they change nothing', async () => {
    const { client } = await given.start(['--read-only'])
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

  it('learns from every tool that it can be repeated and destroys nothing, and what it returns', async () => {
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
    root = join(given.folder, 'wrong-calls')
    await mkdir(root)
    await writeFile(join(root, 'other'), 'other')
    await given.bucket.put('mcp/known/v1', Buffer.from('hello'))
    await given.bucket.put('mcp/bytes/v1', Buffer.from([0xff, 0xfe]))
    shared = await startMcp(['--url', given.url, '--root', root])
  }, 60_000)
  afterAll(() => shared.close())

  it('tells the user if the address is not that of a Bucket API', async () => {
    const session = await startMcp(['--url', `${given.url}/wrong`, '--root', root])
    expect(await session.refused('show_entry', { ref: 'a/b/c' })).toMatch(
      /route_not_found[\s\S]*next: Tell the user that the address/,
    )
    await session.close()
  })

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
    ['store_text', { ref: 'a/b/c' }, /^why: text is missing\nnext: /m],
    ['store_text', { ref: 'one', text: 'x' }, /"one" is not bucket_id\/artifact_id\/version/],
    ['list_versions', { artifact: 'a/b/c' }, /"a\/b\/c" is not bucket_id\/artifact_id\n/],
    ['store_text', { ref: 'a/b/c', text: 'x'.repeat(MIB + 1) }, /next: .*store_file/],
    ['store_text', { ref: 'a/b/c', text: 'half \ud83d' }, /surrogate/],
    ['store_text', { ref: 'a/b/c@md5:1', text: 'x' }, /digest .*\nnext: Correct/],
    ['store_text', { ref: `a/b/c@${HELLO}`, text: 'x' }, /digest_mismatch/],
    ['store_file', { ref: 'a/b/c', path: 'none' }, /none": no such file or directory\nnext: Check the path/],
    ['store_file', { ref: 'a/b/c', path: '.' }, /next: Store a folder with push_folder/],
    ['store_file', { ref: 'a/b/c', path: '/etc/passwd' }, /leads outside[\s\S]*next: Use a path inside of/],
    ['fetch_file', { ref: 'mcp/known/v1', path: '../x' }, /leads outside/],
    [
      'fetch_file',
      { ref: 'mcp/known/v1', path: '.' },
      /"\." is a root itself\nnext: Name a file or folder inside/,
    ],
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
