/**
 * A TCP proxy in front of a real server that damages the traffic: it drops, stalls, truncates and flips bytes on command. It
 * does not simulate HTTP, so client and server behave as on a broken network.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface FaultProxy {
  /** Without a path. The server has to accept it as its own: `--public-url`. */
  readonly origin: string
  /** The API root through the proxy. */
  readonly url: string
  /** Where connections go: any URL of the server. */
  target: string
  /** Connections accepted so far. */
  connections: number
  /** Bytes that it forwarded from the server to clients. */
  received: number
  /** Called with each piece from the server; returns the piece to forward, or undefined to destroy the connection. */
  alter: ((piece: Buffer, passed: number) => Buffer | undefined) | undefined
  /** Forwards all traffic again, and counts from zero. */
  reset(): void
  /** Breaks all connections and refuses new ones until `restore`. */
  fail(): void
  /** Keeps connections open but forwards no bytes until `restore`. */
  stall(): void
  restore(): void
  close(): Promise<void>
}

export async function faultProxy(): Promise<FaultProxy> {
  const sockets = new Set<Socket>()
  let mode: 'pass' | 'fail' | 'stall' = 'pass'
  let onRestore: (() => void)[] = []

  const server = createServer((client) => {
    proxy.connections += 1
    if (mode === 'fail') return client.destroy()
    const { hostname, port } = new URL(proxy.target)
    const upstream = connect(Number(port), hostname)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    client.on('data', (piece) => pass(client, upstream, piece))
    upstream.on('data', (piece) => {
      proxy.received += piece.byteLength
      const altered = proxy.alter ? proxy.alter(piece, proxy.received) : piece
      if (altered === undefined) client.destroy()
      else pass(upstream, client, altered)
    })
  })

  function pass(from: Socket, to: Socket, piece: Buffer): void {
    if (mode === 'stall') {
      from.pause()
      onRestore.push(() => {
        from.resume()
        to.write(piece)
      })
    } else if (!to.write(piece)) {
      from.pause()
      to.once('drain', () => from.resume())
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const proxy: FaultProxy = {
    origin,
    url: `${origin}/v1`,
    target: '',
    connections: 0,
    received: 0,
    alter: undefined,
    reset() {
      proxy.alter = undefined
      proxy.restore()
      for (const socket of sockets) socket.destroy()
      proxy.connections = 0
      proxy.received = 0
    },
    fail() {
      mode = 'fail'
      for (const socket of sockets) socket.destroy()
    },
    stall() {
      mode = 'stall'
    },
    restore() {
      mode = 'pass'
      for (const resume of onRestore) resume()
      onRestore = []
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}
