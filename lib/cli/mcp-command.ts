/** `bucket mcp`: tools for an assistant over this client, until the assistant's program closes stdin. The wiring is `bin/`'s. */
import type { Command } from 'commander'
import { collect } from './arguments.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext, McpSettings } from './context.ts'
import { UsageError } from './failure.ts'
import { createOutput, write } from './output.ts'
import { isLoopback, parsePort } from './serve-settings.ts'

interface McpOptions extends ConnectionOptions {
  readonly root?: readonly string[]
  readonly readOnly?: boolean
  readonly http?: boolean
  readonly host: string
  readonly port: string
}

export function addMcpCommand(program: Command, context: CliContext): void {
  const command = program
    .command('mcp')
    .description('serve tools to an AI assistant (Model Context Protocol), on stdin and stdout')
    .option(
      '--root <folder>',
      'a folder that tools may read and write; may be repeated (default: the current folder, unless it is / or holds the home folder)',
      collect,
    )
    .option('--read-only', 'offer only the tools that change nothing, in Bucket and on this machine')
    .option('--http', 'serve Streamable HTTP instead of stdin and stdout')
    .option('--host <address>', 'with --http: where to listen', '127.0.0.1')
    .option('--port <number>', 'with --http: 0 for any free one', '9471')
    .addHelpText(
      'after',
      `
Programs of assistants start this command themselves; docs/mcp.md shows their configuration. It logs a line of JSON for
each call on stderr, and ends when stdin closes. Paths outside of the roots are refused, also through symlinks.

Examples:
  bucket mcp --root ~/experiments
  bucket mcp --root data --root results --url https://artifacts.example/v1 --auth bearer
  bucket mcp --read-only
  bucket mcp --http --port 9471 --root ~/experiments`,
    )
    .action((options: McpOptions) => mcp(options, context))
  withConnection(command)
}

async function mcp(options: McpOptions, context: CliContext): Promise<void> {
  const { root, readOnly = false, http = false, host } = options
  const port = parsePort(options.port)
  if (!port.ok) throw new UsageError(`--port: ${port.error}`, 'Write --port 9471.', 'Invalid port')
  const output = createOutput({ quiet: true }, context)
  const bucket = await connect(options, context, output)
  if (http && !isLoopback(host))
    context.stderr.write(
      `warning: ${host} is reachable from other machines, and every program that reaches it can read and write the roots\n`,
    )
  const settings: McpSettings = {
    roots: root,
    readOnly,
    http: http ? { host, port: port.value } : undefined,
    onReady: (url) => write(context.stdout, `Bucket's MCP server is ready at ${url}\n`),
    signal: context.signal,
  }
  await context.runMcp(bucket, settings)
}
