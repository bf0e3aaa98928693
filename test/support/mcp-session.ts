/** A real `bucket mcp` process and a client of the protocol's own SDK. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { BUCKET } from './program.ts'

export const MCP_COMMAND: readonly string[] = [...BUCKET, 'mcp']

export type Era = 'legacy' | 'modern'

/** The handshake of 2025, or a request of the revision 2026-07-28. */
export const createClient = (era: Era = 'legacy'): Client =>
  new Client(
    { name: 'test', version: '1' },
    era === 'modern' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {},
  )

export interface McpSession {
  readonly client: Client
  /** Calls a tool. Rejects with the text of a refusal. */
  call<T>(name: string, args: object, options?: Parameters<Client['callTool']>[1]): Promise<T>
  /** Calls a tool that refuses; resolves with its text. */
  refused(name: string, args: object): Promise<string>
  /** The log of the server so far. */
  log(): string
  close(): Promise<void>
}

/** @param options of `bucket mcp`. */
export async function startMcp(options: readonly string[], era: Era = 'legacy'): Promise<McpSession> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [...MCP_COMMAND, ...options],
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' },
    stderr: 'pipe',
  })
  let log = ''
  transport.stderr?.on('data', (text) => (log += text))
  const client = createClient(era)
  await client.connect(transport)
  return { ...callsOf(client), log: () => log, close: () => client.close() }
}

export function callsOf(client: Client) {
  const callTool = (name: string, args: object, options?: Parameters<Client['callTool']>[1]) =>
    client.callTool({ name, arguments: { ...args } }, options)
  const textOf = ({ content }: Awaited<ReturnType<typeof callTool>>): string =>
    content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  return {
    client,
    async call<T>(name: string, args: object, options?: Parameters<Client['callTool']>[1]): Promise<T> {
      const result = await callTool(name, args, options)
      if (result.isError) throw new Error(textOf(result))
      return result.structuredContent as T
    },
    async refused(name: string, args: object): Promise<string> {
      const result = await callTool(name, args)
      if (!result.isError) throw new Error(`${name} was not refused`)
      return textOf(result)
    },
  }
}

/** Starts `bucket mcp --http` on a free port. */
export async function startMcpHttp(
  options: readonly string[],
): Promise<{ url: string; child: ChildProcess; stop(): Promise<number | null> }> {
  const child = spawn(process.execPath, [...MCP_COMMAND, '--http', '--port', '0', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stderr.resume()
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const ended = once(child, 'exit')
  return {
    url: /http:\S+/.exec(line)?.[0] ?? '',
    child,
    async stop() {
      child.kill('SIGTERM')
      const [exit] = await ended
      return exit as number | null
    },
  }
}
