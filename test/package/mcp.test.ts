/** The MCP server as users install it: it is in the archive, with its documents, and no other command needs its packages. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Consumer, createConsumer } from './consumer.ts'

const COMMAND = 'node_modules/bucket-v1/dist/bin/bucket.js'
const MCP_PACKAGES = ['@modelcontextprotocol', 'zod']
/** A limit for hangs. */
const SLOW = { timeout: 60_000 }

let consumer: Consumer
beforeAll(() => {
  const client = "import { BucketClient } from 'bucket-v1/client'\nconsole.log(new BucketClient().url)\n"
  consumer = createConsumer([inject('packed').service], [], { 'client.mjs': client })
})
afterAll(() => consumer?.remove())

async function initialize() {
  const child = spawn(process.execPath, [COMMAND, 'mcp', '--root', '.'], { cwd: consumer.folder })
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  }
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text) => {
    stdout += text
    child.stdin.end()
  })
  child.stderr.on('data', (text) => (stderr += text))
  child.stdin.on('error', () => {}) // the program may have ended
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`)
  const [exit] = await once(child, 'close')
  return { exit, stdout, stderr }
}

describe('the installed package', SLOW, () => {
  it('serves MCP', async () => {
    const { exit, stdout } = await initialize()
    expect(JSON.parse(stdout).result.serverInfo.name).toBe('bucket')
    expect(exit).toBe(0)
  })

  it.each([
    [['skill'], 'docs/skill/SKILL.md'],
    [['skill', '--guide'], 'docs/for-assistants.md'],
  ])('prints its documents: bucket %s', async (args, path) => {
    expect((await consumer.node(COMMAND, ...args)).stdout).toBe(readFileSync(path, 'utf8'))
  })

  it('has a skill whose front matter agents can read', () => {
    const skill = readFileSync('docs/skill/SKILL.md', 'utf8')
    const [, name, description = ''] = /^---\nname: (.*)\ndescription: (.*)\n---\n/.exec(skill) ?? []
    expect(name).toMatch(/^[a-z0-9-]{1,64}$/)
    expect(description.length).toBeGreaterThan(50)
    expect(description.length).toBeLessThan(1024)
    // A colon and a space would make the value of YAML a mapping.
    expect(description).not.toMatch(/: |#|^["'[{>|]/)
  })
})

describe('without the packages of MCP', SLOW, () => {
  beforeAll(() => {
    for (const name of MCP_PACKAGES) rmSync(join(consumer.folder, 'node_modules', name), { recursive: true })
  })

  it('the client and every other command work', async () => {
    expect((await consumer.node('client.mjs')).stdout).toBe('http://127.0.0.1:9470/v1\n')
    expect((await consumer.node(COMMAND, 'digest', 'client.mjs')).stdout).toMatch(/^sha256:/)
    expect((await consumer.node(COMMAND, 'mcp', '--help')).stdout).toContain('--read-only')
    const served = spawn(process.execPath, [COMMAND, 'serve', '--port', '0', '--data-dir', 'data'], {
      cwd: consumer.folder,
    })
    const [line] = await once(served.stdout, 'data')
    const url = /http:\S+/.exec(String(line))?.[0] ?? ''
    expect((await consumer.node(COMMAND, 'put', 'a/b/c', 'client.mjs', '--url', url)).stdout).toContain(
      'a/b/c@sha256:',
    )
    served.kill('SIGTERM')
    await once(served, 'exit')
  })

  it('bucket mcp fails', async () => {
    const { exit, stderr } = await initialize()
    expect(exit).toBe(1)
    expect(stderr).toContain('@modelcontextprotocol')
  })
})
