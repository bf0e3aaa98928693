/** The body of a request ends whole, or with the reason why it does not; and it arrives at its least rate. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { isBucketError } from '../../../lib/domain/errors.ts'
import { type BodyPace, requestBody } from '../../../lib/http/node/request-body.ts'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** A request that has arrived up to its body, and the socket of its sender. */
async function request(framing: string): Promise<{ incoming: IncomingMessage; socket: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  ends.push(() => void server.close().closeAllConnections())
  socket.on('error', () => {})
  socket.write(`PUT / HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n`)
  const [incoming] = (await once(server, 'request')) as [IncomingMessage]
  return { incoming, socket }
}

const PATIENT: BodyPace = { bytesPerSecond: 1, graceMs: 60_000 }

async function read(body: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of body) text += Buffer.from(chunk).toString('latin1')
  return text
}

describe('the body of a request', () => {
  it('is every byte in order, also when its reader is slower than its sender', async () => {
    const size = 5_000_000
    const { incoming, socket } = await request(`Content-Length: ${size}`)
    const bytes = Buffer.alloc(size, 'some bytes that repeat. ')
    socket.end(bytes)
    const received: Uint8Array[] = []
    for await (const chunk of requestBody(incoming, PATIENT)) {
      received.push(chunk)
      await new Promise(setImmediate)
    }
    expect(Buffer.compare(Buffer.concat(received), bytes)).toBe(0)
  })

  it('that is empty ends at once', async () => {
    const { incoming } = await request('Content-Length: 0')
    expect(await read(requestBody(incoming, PATIENT))).toBe('')
  })

  it('of a broken connection fails', async () => {
    const { incoming, socket } = await request('Content-Length: 10')
    socket.write('01234', () => socket.resetAndDestroy())
    await expect(read(requestBody(incoming, PATIENT))).rejects.toThrow(/aborted|connection broke/)
  })

  it('leaves the rest unread when its reader stops', async () => {
    const { incoming, socket } = await request('Content-Length: 10')
    socket.write('01234')
    for await (const _ of requestBody(incoming, PATIENT)) break
    expect(incoming.isPaused()).toBe(true)
    socket.write('56789')
    incoming.resume()
    await once(incoming, 'end')
  })

  it.each([
    ['sends nothing', '', 'no byte of the body arrived for 0.05 s'],
    ['sends too little', '01234', 'the body arrives too slowly: 5 bytes in 0.05 s'],
  ])('fails when its sender %s in the time for it', async (_, text, message) => {
    const { incoming, socket } = await request('Content-Length: 10')
    socket.write(text)
    await expect.poll(() => incoming.readableLength).toBe(text.length)
    const failure = await read(requestBody(incoming, { bytesPerSecond: 1000, graceMs: 50 })).catch((e) => e)
    expect(isBucketError(failure, 'request_timeout')).toBe(true)
    expect(failure.message).toContain(message)
  })

  it('does not fail for the time that its reader takes', async () => {
    const { incoming, socket } = await request('Content-Length: 2')
    socket.write('01')
    let text = ''
    for await (const chunk of requestBody(incoming, { bytesPerSecond: 1000, graceMs: 20 })) {
      text += chunk
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(text).toBe('01')
  })
})
