import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { ENCODERS } from '../../../lib/protocol/encode.ts'
import { ERROR_STATUS } from '../../../lib/protocol/errors.ts'

/** Plays single sentences of HTTP on a bare socket: what no server library would do. */
let server: Server
const sockets = new Set<Socket>()
async function listen(onConnection: (socket: Socket) => void): Promise<BucketClient> {
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return new BucketClient({
    url: `http://127.0.0.1:${port}/v1`,
    retry: { attempts: 1, patienceMs: 0 },
    timeouts: { idleMs: 300, continueMs: 50 },
  })
}
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  server.close()
})

function refusal(code: 'insufficient_storage' | 'forbidden'): string {
  const body = JSON.stringify({ code, detail: 'no', retryable: false, next: 'stop', request_id: 'r-2' })
  return `HTTP/1.1 ${ERROR_STATUS[code]} No\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
}
const NOT_FOUND = `HTTP/1.1 404 No\r\nContent-Length: 28\r\n\r\n{"code":"version_not_found"}`
const SERVICE_JSON = JSON.stringify(
  ENCODERS.Service(
    { maxArtifactBytes: 99_999_999, maxInlineBytes: 99_999_999 },
    { requestId: 'r-1', origin: 'http://bucket.test' },
  ),
)
const SERVICE = `HTTP/1.1 200 OK\r\nContent-Length: ${SERVICE_JSON.length}\r\n\r\n${SERVICE_JSON}`
const BIG = new Uint8Array(30_000_000)

/** Answers the questions before the body; hands over at the headers of the PUT. */
function onPut(socket: Socket, put: (socket: Socket) => void): void {
  socket.on('data', (data) => {
    const head = data.toString('latin1')
    if (head.startsWith('GET /v1 ')) socket.write(SERVICE)
    else if (head.startsWith('GET ')) socket.write(NOT_FOUND)
    else if (head.startsWith('PUT ')) put(socket)
  })
}

describe('a refusal of a body', () => {
  it('costs no byte of the body if it comes before 100 Continue', async () => {
    let received = 0
    const bucket = await listen((socket) =>
      onPut(socket, () => {
        socket.removeAllListeners('data')
        socket.on('data', ({ byteLength }) => {
          received += byteLength
        })
        socket.write(refusal('forbidden'))
      }),
    )
    await expect(bucket.put('b/a/v', BIG)).rejects.toMatchObject({ code: 'forbidden', requestId: 'r-2' })
    expect(received).toBe(0)
  })

  it('is reported as such if it comes in the middle, with the rest unsent', async () => {
    const bucket = await listen((socket) =>
      onPut(socket, () => {
        socket.removeAllListeners('data')
        socket.write('HTTP/1.1 100 Continue\r\n\r\n')
        socket.once('data', () => {
          socket.pause()
          socket.write(refusal('insufficient_storage'))
        })
      }),
    )
    await expect(bucket.put('b/a/v', BIG)).rejects.toMatchObject({ code: 'insufficient_storage' })
  })

  it('is reported as such even if the server then closes the connection with unread bytes', async () => {
    for (let round = 0; round < 20; round++) {
      const bucket = await listen((socket) =>
        onPut(socket, () => {
          socket.removeAllListeners('data')
          socket.write('HTTP/1.1 100 Continue\r\n\r\n')
          let received = 0
          socket.on('data', ({ byteLength }) => {
            received += byteLength
            if (received < 2_000_000) return
            socket.pause()
            socket.removeAllListeners('data')
            socket.end(refusal('insufficient_storage'), () => socket.destroy())
          })
        }),
      )
      await expect(bucket.put('b/a/v', BIG)).rejects.toMatchObject({ code: 'insufficient_storage' })
      server.close()
    }
  })

  it('does not occur with a server that ignores Expect: the body is sent after a wait', async () => {
    let received = 0
    const bucket = await listen((socket) =>
      onPut(socket, () => {
        socket.removeAllListeners('data')
        socket.on('data', ({ byteLength }) => {
          received += byteLength
          if (received === BIG.byteLength) socket.write(refusal('forbidden'))
        })
      }),
    )
    await expect(bucket.put('b/a/v', BIG)).rejects.toMatchObject({ code: 'forbidden' })
  })
})

describe('a server that hangs', () => {
  it('times out if it never responds', async () => {
    const bucket = await listen(() => {})
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ name: 'NetworkError', kind: 'stalled' })
  })

  it('times out if it stops reading the body', async () => {
    const bucket = await listen((socket) =>
      onPut(socket, () => {
        socket.write('HTTP/1.1 100 Continue\r\n\r\n')
        socket.removeAllListeners('data')
        socket.pause()
      }),
    )
    await expect(bucket.put('b/a/v', BIG)).rejects.toMatchObject({ kind: 'stalled' })
  })

  it('times out if it stops in the middle of a response', async () => {
    const bucket = await listen((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a'))
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ kind: 'stalled' })
  })
})

describe('a JSON response that arrives byte by byte', () => {
  it.each([
    ['an entry', 'HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n'],
    ['a refusal without a length', 'HTTP/1.1 500 No\r\n\r\n'],
  ])('times out although it never stalls, and its connection is closed: %s', async (_, head) => {
    let closed: Promise<unknown> | undefined
    const bucket = await listen((socket) => {
      closed = new Promise((resolve) => socket.once('close', resolve))
      socket.write(head)
      const trickle = setInterval(() => socket.write(' '), 50)
      socket.once('close', () => clearInterval(trickle))
    })
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ kind: 'stalled' })
    await closed
  })

  it('is read to its end if it is slow, but above the minimum rate', async () => {
    // Longer than a connection may be idle.
    const bucket = await listen((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${20_000 * 6 + SERVICE_JSON.length}\r\n\r\n`)
      let pieces = 0
      const flow = setInterval(() => {
        if (pieces++ < 6) return socket.write(' '.repeat(20_000))
        clearInterval(flow)
        socket.write(SERVICE_JSON)
      }, 100)
    })
    expect((await bucket.service()).apiVersion).toBe('v1')
  })
})

describe('an unexpected response', () => {
  it('is an interruption if the connection is closed', async () => {
    const bucket = await listen((socket) => socket.destroy())
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ kind: 'interrupted' })
  })

  it('is unexpectedResponse if it is not HTTP, not JSON, or not from Bucket', async () => {
    for (const answer of [
      'SSH-2.0-OpenSSH_9.2\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
      'HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nhi',
      'HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/?secret\r\nContent-Length: 0\r\n\r\n',
      `HTTP/1.1 200 OK\r\nContent-Length: ${SERVICE_JSON.length}\r\n\r\n${SERVICE_JSON}`,
    ]) {
      const bucket = await listen((socket) => socket.once('data', () => socket.end(answer)))
      const failure = await bucket.entry('b/a/v').catch((error) => error)
      expect(failure).toMatchObject({ name: 'NetworkError', kind: 'unexpected_response' })
      expect(failure.message).not.toContain('secret')
      server.close()
    }
  })

  it('is unreachable if no server listens', async () => {
    const bucket = await listen(() => {})
    server.close()
    await once(server, 'close')
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ kind: 'unreachable' })
  })

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
    ['something else', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ])('is unreachable by https if the port speaks %s instead of TLS', async (_, answer) => {
    const plain = await listen((socket) => socket.once('data', () => socket.end(answer)))
    const bucket = new BucketClient({ url: plain.url.replace('http:', 'https:'), retry: { attempts: 1 } })
    const failure = await bucket.entry('b/a/v').catch((error) => error)
    expect(failure).toMatchObject({ name: 'NetworkError', kind: 'unreachable' })
    expect(failure.message).toContain('does not use TLS')
    expect(failure.message).not.toContain('\n')
    expect(failure.next).toContain('http://')
  })

  it('is unreachable if the TLS handshake fails', async () => {
    // A fatal alert, handshake_failure (RFC 8446, section 6).
    const alert = Buffer.from([0x15, 3, 3, 0, 2, 2, 40])
    const plain = await listen((socket) => socket.once('data', () => socket.end(alert)))
    const bucket = new BucketClient({ url: plain.url.replace('http:', 'https:'), retry: { attempts: 1 } })
    const failure = await bucket.entry('b/a/v').catch((error) => error)
    expect(failure).toMatchObject({ name: 'NetworkError', kind: 'unreachable' })
    expect(failure.message).toMatch(/TLS.*handshake failure$/)
  })

  it('has the meaning of its status if a gateway answers for Bucket', async () => {
    for (const [status, code] of [
      [401, 'unauthorized'],
      [403, 'forbidden'],
      [429, 'throttled'],
      [502, 'unavailable'],
    ] as const) {
      const bucket = await listen((socket) =>
        socket.once('data', () => socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\nno`)),
      )
      await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ code })
      server.close()
    }
  })
})
