/** Serves one client on stdin and stdout, until stdin closes. */
import type { Readable, Writable } from 'node:stream'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { createMcpServer, type ServerContent } from './server.ts'

export interface StdioOptions {
  readonly stdin: Readable
  readonly stdout: Writable
  /** Ends the session as the end of stdin does. */
  readonly signal: AbortSignal
}

/** Resolves when the session is over and every running call has ended; what it fetched is kept. */
export async function serveOnStdio(
  content: ServerContent,
  { stdin, stdout, signal }: StdioOptions,
): Promise<void> {
  const transport = new StdioServerTransport(stdin, stdout)
  const handle = serveStdio(() => createMcpServer(content), {
    transport,
    onerror: ({ message }) => content.log({ operation: 'protocol', outcome: 'failed', detail: message }),
  })
  await new Promise<void>((resolve) => {
    const { onclose } = transport
    transport.onclose = () => {
      onclose?.()
      resolve()
    }
    signal.addEventListener('abort', () => void handle.close(), { once: true })
    if (signal.aborted) void handle.close()
  })
  await Promise.allSettled(content.running)
}
