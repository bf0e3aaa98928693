/**
 * `npm run test:mcp`: the protocol's own tools against `bucket mcp`: the inspector's command line over stdio, and the conformance
 * scenarios over HTTP. They have 220 packages, so they are installed into a temporary folder and are not dependencies of the project.
 * The last line is `N passed, N failed, N skipped`.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MCP_COMMAND, startMcpHttp } from '../support/mcp-session.ts'
import { serveFolder } from '../support/served-folder.ts'

const INSPECTOR = '@modelcontextprotocol/inspector@2.12.0'
const CONFORMANCE = '@modelcontextprotocol/conformance@0.1.16'

/**
 * The scenarios for any server. The others call tools, resources and prompts that only a server made for these tests has, or need
 * what this server does not offer: sessions, completion, subscriptions, sampling, elicitation.
 */
const SCENARIOS = [
  'server-initialize',
  'ping',
  'logging-set-level',
  'tools-list',
  'resources-list',
  'prompts-list',
  'dns-rebinding-protection',
]
/** conformance 0.1.16 imports `globSync` of `node:fs`. */
const CONFORMANCE_NODE = 22
/** A limit for hangs: milliseconds. */
const LIMIT_MS = 120_000

const run = promisify(execFile)
const counts = { passed: 0, failed: 0, skipped: 0 }
const [major = '0'] = process.versions.node.split('.')

async function check(name: string, test: () => Promise<unknown>): Promise<void> {
  try {
    await test()
    counts.passed += 1
    console.log(`ok ${name}`)
  } catch (error) {
    counts.failed += 1
    console.log(`FAILED ${name}: ${error instanceof Error ? error.message : error}`)
  }
}

function skip(name: string, reason: string): void {
  counts.skipped += 1
  console.log(`skipped ${name}: ${reason}`)
}

function mustContain(text: string, expected: string): void {
  if (!text.includes(expected))
    throw new Error(`${JSON.stringify(expected)} is not in ${text.slice(0, 2000)}`)
}

const folder = mkdtempSync(join(tmpdir(), 'bucket-mcp-tools-'))
const root = join(folder, 'root')
mkdirSync(root)
writeFileSync(join(root, 'note.txt'), 'hello')
const install = (name: string) =>
  execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', name], {
    stdio: 'ignore',
    timeout: LIMIT_MS,
  })
const installed = (...path: string[]) => join(folder, 'node_modules', ...path)

const server = await serveFolder(join(folder, 'data'))
const options = ['--url', server.url, '--root', root]

async function inspect(...args: string[]): Promise<string> {
  const bin = installed('.bin', 'mcp-inspector')
  const command = [process.execPath, ...MCP_COMMAND, ...options]
  const { stdout } = await run(bin, ['--cli', ...command, ...args], { timeout: LIMIT_MS })
  return stdout
}

const call = (tool: string, ...args: string[]) =>
  inspect('--method', 'tools/call', '--tool-name', tool, ...args.flatMap((arg) => ['--tool-arg', arg]))

async function inspector(): Promise<void> {
  await check('inspector: tools/list', async () =>
    mustContain(await inspect('--method', 'tools/list'), '"store_file"'),
  )
  await check('inspector: store_file', async () => {
    mustContain(await call('store_file', 'ref=demo/note/v1', 'path=note.txt'), '"created": true')
  })
  await check('inspector: fetch_text', async () => {
    mustContain(await call('fetch_text', 'ref=demo/note/v1'), '"text": "hello"')
  })
  await check('inspector: a refusal', async () => {
    // The inspector's command line fails when a tool does.
    const text = await call('store_text', 'ref=demo/note/v1', 'text=other').catch(({ stdout }) =>
      String(stdout),
    )
    mustContain(text, 'next: Choose a new version')
  })
  await check('inspector: resources/read', async () => {
    mustContain(await inspect('--method', 'resources/read', '--uri', 'bucket://demo/note/v1'), 'hello')
  })
  await check('inspector: prompts/get', async () => {
    mustContain(
      await inspect('--method', 'prompts/get', '--prompt-name', 'bucket_guide'),
      'guide for assistants',
    )
  })
}

async function conformance(): Promise<void> {
  const mcp = await startMcpHttp(options)
  const bin = installed('.bin', 'conformance')
  for (const scenario of SCENARIOS)
    await check(`conformance: ${scenario}`, async () => {
      const { stdout } = await run(bin, ['server', '--url', mcp.url, '--scenario', scenario], {
        timeout: LIMIT_MS,
      })
      mustContain(stdout, '0 failed, 0 warnings')
    })
  await mcp.stop()
}

async function suite(name: string, needs: string, tests: () => Promise<void>): Promise<void> {
  try {
    install(needs)
  } catch (error) {
    return skip(name, `${needs} does not install: ${error instanceof Error ? error.message : error}`)
  }
  await tests()
}

try {
  await suite('inspector', INSPECTOR, inspector)
  if (Number(major) < CONFORMANCE_NODE)
    skip('conformance', `it needs Node ${CONFORMANCE_NODE}, this is ${process.versions.node}`)
  else await suite('conformance', CONFORMANCE, conformance)
} finally {
  await server.kill()
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed > 0 ? 1 : 0
