/** Serves clients over Streamable HTTP at one path. Each request is served on its own: there are no sessions to be lost or taken over. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { createMcpServer, type ServerContent } from './server.ts'

const PATH = '/mcp'
/** A disconnect that nothing else shows is noticed by the next comment of a stream at the latest. */
const KEEP_ALIVE_MS = 2_000
/** A request has at most 4 MiB, so that these bound the memory. */
const MAX_CONNECTIONS = 64

export interface HttpOptions {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  /**
   * Makes the check of `Host` and `Origin` for a server on this port, which keeps pages of other sites out (DNS rebinding).
   *
   * @returns why a request is refused; undefined if it is not.
   */
  readonly hostCheck: (port: number) => (incoming: IncomingMessage) => string | undefined
}

export interface RunningMcp {
  /** The endpoint, `http://127.0.0.1:9471/mcp`. */
  readonly url: string
  /** Ends running calls; what they fetched is kept. */
  stop(): Promise<void>
}

/** @throws the system's error when it cannot listen. */
export async function serveOnHttp(
  content: ServerContent,
  { host, port, hostCheck }: HttpOptions,
): Promise<RunningMcp> {
  const onerror = ({ message }: Error) =>
    content.log({ operation: 'protocol', outcome: 'failed', detail: message })
  const handler = createMcpHandler(() => createMcpServer(content), { onerror, keepAliveMs: KEEP_ALIVE_MS })
  const handle = toNodeHandler(handler)
  let refusal: (incoming: IncomingMessage) => string | undefined = () => 'the server is starting'

  const server = createServer((incoming, outgoing) => {
    const refused = refusal(incoming)
    if (refused !== undefined) refuse(outgoing, 403, refused)
    else if (incoming.url?.split('?', 1)[0] !== PATH) refuse(outgoing, 404, `The endpoint is ${PATH}`)
    // Node always gives a request a method and a URL.
    else void handle(incoming as Parameters<typeof handle>[0], outgoing)
  })
  server.maxConnections = MAX_CONNECTIONS
  server.listen(port, host)
  await once(server, 'listening')
  const { port: bound } = server.address() as AddressInfo
  refusal = hostCheck(bound)
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${name}:${bound}${PATH}`,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      await handler.close()
      server.closeAllConnections()
      await Promise.allSettled(content.running)
      await closed
    },
  }
}

function refuse(outgoing: ServerResponse, status: number, message: string): void {
  outgoing.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' })
  outgoing.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32000, message }, id: null }))
}
