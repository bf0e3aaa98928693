/** docs/mcp.md agrees with the server: its session plays again, its configurations start the command, its table lists the tools. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { McpSettings } from '../../lib/cli/context.ts'
import { patternOf } from '../support/document-blocks.ts'
import { MCP_COMMAND, startMcp } from '../support/mcp-session.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'
import { bucket } from '../unit/cli/command-line.ts'

const PAGE = await readFile('docs/mcp.md', 'utf8')

let folder: string
let server: Served
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-mcp-page-'))
  server = await serveFolder(join(folder, 'data'))
}, 60_000)
afterAll(async () => {
  await server.kill()
  await rm(folder, { recursive: true })
})

describe('docs/mcp.md', { timeout: 60_000 }, () => {
  it('shows a session that plays again as recorded', async () => {
    const [, session = ''] = /```text session\n(.*?)```/s.exec(PAGE) ?? []
    const recorded = session.trim().split('\n')
    await mkdir(join(folder, 'experiments'))
    const args = [...MCP_COMMAND, '--root', 'experiments', '--url', server.url]
    const child = spawn(process.execPath, args, { cwd: folder })
    child.stderr.resume()
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    for (const line of recorded)
      if (line.startsWith('→ ')) child.stdin.write(`${line.slice(2)}\n`)
      else expect(`← ${(await answers.next()).value}`).toMatch(patternOf(line))
    child.stdin.end()
    expect((await once(child, 'exit'))[0]).toBe(0)
    expect(recorded.length).toBeGreaterThan(10)
  })

  const configurations = [...PAGE.matchAll(/```json config\n(.*?)```/gs)].map(([, text = '']) =>
    JSON.parse(text),
  )

  it('has configurations for programs that start the command and for those that know HTTP', () => {
    expect(configurations).toHaveLength(3)
    expect(configurations[2].mcpServers.bucket.url).toBe('http://127.0.0.1:9471/mcp')
  })

  it.each(configurations.slice(0, 2))(
    'has configurations whose arguments the command takes',
    async (file) => {
      const { args, env } = (file.mcpServers ?? file.servers).bucket
      let settings: McpSettings | undefined
      const { exit, stderr } = await bucket(args.slice(1), {
        environment: env,
        runMcp: async (_, given) => {
          settings = given
        },
      })
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
      expect(settings).toMatchObject({
        roots: [args[args.indexOf('--root') + 1]],
        readOnly: false,
        http: undefined,
      })
    },
  )

  it('lists every tool, and whether it changes something', async () => {
    const { client, close } = await startMcp(['--url', server.url])
    const { tools } = await client.listTools()
    await close()
    const rows = [...PAGE.matchAll(/^\| `(\w+)` \| .* \| (nothing|Bucket|files) \|$/gm)]
    expect(Object.fromEntries(rows.map(([, name, changes]) => [name, changes === 'nothing']))).toEqual(
      Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint])),
    )
  })
})
