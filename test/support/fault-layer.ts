/**
 * An HTTP proxy in front of a real server that records requests, replaces single responses, and damages others on their way. It
 * knows no route and no message of the server: a test says which request it means, and what happens to the response.
 */
import { once } from 'node:events'
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** The status of the server's own response, as soon as it began. */
  status: number | undefined
  /** The body, if it is JSON, as far as it has been forwarded. */
  json: string
}

export interface Head {
  status: number
  headers: IncomingHttpHeaders
}

/** Changes of a real response on its way to the client. */
export interface Damage {
  /** Changes the status line and the headers. */
  readonly head?: (head: Head) => void
  /** Replaces the whole body. */
  readonly body?: (bytes: Buffer) => Buffer | string
  /** Replaces pieces of the body, each of which begins at the offset `at`. */
  readonly piece?: (piece: Buffer, at: number) => Buffer
  /** Forwards this many bytes of the body, and then closes the connection or stalls. */
  readonly after?: { readonly bytes: number; readonly how: 'cut' | 'stall' }
}

/**
 * Called for each request before it is forwarded; it may change the method, the URL and the headers.
 *
 * @returns true if it answers the request itself, or never; the damage to the server's response; anything else to forward both
 * as they are.
 */
export type Misbehaviour = (
  request: IncomingMessage,
  response: ServerResponse,
) => boolean | undefined | Damage | Promise<boolean | undefined | Damage>

export interface FaultLayer {
  readonly origin: string
  /** Where requests go: an origin. */
  target: string
  readonly received: Received[]
  misbehave: Misbehaviour | undefined
  /** How many bodies the server asked for with `100 Continue`. */
  continued: number
  close(): Promise<void>
}

export interface FaultLayerOptions {
  /** The path under which the server is mounted, such as `/team`. */
  readonly root?: string
  /** Happens to every response. */
  readonly always?: (head: Head) => void
}

export async function faultLayer({ root = '', always }: FaultLayerOptions = {}): Promise<FaultLayer> {
  const agent = new Agent({ keepAlive: true })
  const server = createServer((request, response) => void serve(request, response))
  server.on('checkContinue', (request, response) => void serve(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const layer: FaultLayer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: '',
    received: [],
    misbehave: undefined,
    continued: 0,
    async close() {
      server.closeAllConnections()
      server.close()
      agent.destroy()
      await once(server, 'close')
    },
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    const record: Received = { method, url, headers: { ...headers }, status: undefined, json: '' }
    layer.received.push(record)
    const answered = await layer.misbehave?.(request, response)
    if (answered === true) return
    forward(request, response, record, answered === false ? undefined : answered)
  }

  function forward(
    request: IncomingMessage,
    response: ServerResponse,
    record: Received,
    damage: Damage | undefined,
  ): void {
    const target = new URL(layer.target)
    const path = request.url?.slice(root.length)
    const { connection: _, ...headers } = request.headers
    const { method } = request
    const onward = httpRequest(target, { agent, method, path, headers: { ...headers, host: target.host } })
    const sendBody = () => {
      if (headers['content-type'] === 'application/json')
        request.on('data', (piece: Buffer) => {
          record.json += piece.toString()
        })
      request.pipe(onward)
    }
    onward.on('continue', () => {
      layer.continued += 1
      response.writeContinue()
      sendBody()
    })
    if (headers.expect === undefined) sendBody()
    onward.on('response', (answer) => {
      record.status = answer.statusCode
      relay(answer, request, response, damage).catch(() => response.destroy())
    })
    onward.on('error', () => response.destroy())
    response.once('close', () => onward.destroy())
  }

  async function relay(
    answer: IncomingMessage,
    request: IncomingMessage,
    response: ServerResponse,
    { head: alter, body, piece: alterPiece, after }: Damage = {},
  ): Promise<void> {
    const head: Head = { status: answer.statusCode ?? 502, headers: { ...answer.headers } }
    always?.(head)
    alter?.(head)
    if (body) {
      const bytes = body(await buffer(answer))
      response.writeHead(head.status, { ...head.headers, 'content-length': Buffer.byteLength(bytes) })
      response.end(bytes)
      return
    }
    response.writeHead(head.status, head.headers)
    const end = () => after?.how === 'cut' && request.socket.destroySoon()
    response.flushHeaders()
    if (after?.bytes === 0) return void end()
    let passed = 0
    for await (const piece of answer) {
      const bytes: Buffer = alterPiece ? alterPiece(piece, passed) : piece
      if (after && passed + bytes.byteLength >= after.bytes) {
        response.write(bytes.subarray(0, after.bytes - passed), end)
        return
      }
      if (!response.write(bytes)) await once(response, 'drain')
      passed += piece.byteLength
    }
    response.end()
  }

  return layer
}

/** Inverts the lowest bit of the byte at this offset. */
export const flip =
  (offset: number) =>
  (piece: Buffer, at: number): Buffer => {
    if (offset < at || offset >= at + piece.byteLength) return piece
    const flipped = Buffer.from(piece)
    flipped[offset - at] = (flipped[offset - at] ?? 0) ^ 1
    return flipped
  }

/** Damage to a JSON body: these members replace its own. */
export const withMembers = (members: object | ((message: Record<string, unknown>) => object)): Damage => ({
  body: (bytes) => {
    const message = JSON.parse(bytes.toString())
    return JSON.stringify({ ...message, ...(typeof members === 'function' ? members(message) : members) })
  },
})
