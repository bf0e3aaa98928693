/**
 * Small requests over plain sockets. Node's HTTP client takes more processor time for an exchange than the servers that are measured,
 * so that all of them would look alike. Each client sends its next request when it has the whole response to the last one, and a
 * response counts only with the expected status and size.
 */
import { once } from 'node:events'
import { connect } from 'node:net'

export interface SmallRequest {
  readonly method: 'GET' | 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly content?: Uint8Array
  /** The expected status. */
  readonly status: number
  /** The expected size of the content of the response in bytes; any size if omitted. */
  readonly size?: number
}

/** The largest response, in bytes. */
const BUFFER_BYTES = 64 * 1024

/**
 * Sends requests to one server, `clients` of them at a time, each over a connection that stays open.
 *
 * @returns responses a second.
 */
export async function smallRate(requests: readonly SmallRequest[], clients: number): Promise<number> {
  const encoded = requests.map(encode)
  const [{ url } = { url: '' }] = requests
  let next = 0
  const client = async () => {
    const buffer = Buffer.alloc(BUFFER_BYTES)
    let received = 0
    let current = -1
    const send = () => {
      current = next++
      const bytes = encoded[current]
      if (bytes === undefined) socket.end()
      else socket.write(bytes)
    }
    const receive = (bytes: number) => {
      received += bytes
      const size = responseSize(buffer.subarray(0, received), requests[current])
      if (size === undefined || received < size) return true
      if (received > size) throw new Error(`${requests[current]?.url}: bytes after the response`)
      received = 0
      send()
      return true
    }
    const { hostname, port } = new URL(url)
    const socket = connect({
      ...{ host: hostname, port: Number(port), noDelay: true },
      onread: { buffer: () => buffer.subarray(received), callback: receive },
    })
    socket.once('connect', send)
    await once(socket, 'close')
    if (current < requests.length) throw new Error(`${requests[current]?.url}: the connection closed`)
  }
  const from = performance.now()
  await Promise.all(Array.from({ length: clients }, client))
  return requests.length / ((performance.now() - from) / 1000)
}

function encode({ method, url, headers, content }: SmallRequest): Buffer {
  const { host, pathname, search } = new URL(url)
  const lines = Object.entries({
    Host: host,
    ...headers,
    ...(content && { 'Content-Length': String(content.byteLength) }),
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), content ?? Buffer.alloc(0)])
}

/** @returns the bytes that the response will have as a whole; undefined until its head has arrived. */
function responseSize(received: Buffer, request: SmallRequest | undefined): number | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = received.toString('latin1', 0, end)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  const isExpected =
    head.startsWith(`HTTP/1.1 ${request?.status} `) &&
    length !== undefined &&
    (request?.size === undefined || request.size === Number(length))
  if (!isExpected) throw new Error(`${request?.url}: ${head}`)
  return end + 4 + Number(length)
}
