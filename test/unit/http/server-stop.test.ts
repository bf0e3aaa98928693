/** A server that is asked to stop completes its responses, and then closes every connection. */
import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { MIB } from '../../../lib/domain/limits.ts'
import type { Api } from '../../../lib/http/api.ts'
import { type RunningServer, startServer } from '../../../lib/http/node/server.ts'
import type { HttpResponse } from '../../../lib/protocol/http-message.ts'

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

function serve(response: HttpResponse): Promise<RunningServer> {
  const api: Api = {
    handle: async () => response,
    refuse: () => expect.fail('nothing is refused here'),
  }
  return startServer({ api, host: '127.0.0.1', port: 0 })
}

/** Over a keep-alive connection. */
async function ask(server: RunningServer): Promise<IncomingMessage> {
  const [response] = await once(get(server.url, { agent: new Agent({ keepAlive: true }) }), 'response')
  return response
}

describe('a server that stops', () => {
  it('sends the rest of a response in progress, and then closes the connection', async () => {
    let goOn = () => {}
    const waits = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const body = async function* () {
      yield Buffer.from('first half, ')
      await waits
      yield Buffer.from('second half')
    }
    const server = await serve({ status: 200, headers: { 'Content-Length': '23' }, body: body() })
    const response = await ask(server)
    const stopped = server.stop()
    goOn()
    expect(await text(response)).toBe('first half, second half')
    await stopped
  })

  it('truncates no response that its client is still reading', async () => {
    const whole = 'x'.repeat(32 * MIB)
    const server = await serve({ status: 200, headers: {}, body: whole })
    const response = await ask(server)
    const stopped = server.stop()
    expect((await text(response)).length).toBe(whole.length)
    await stopped
  })

  it('waits for the rest of a body that it has already answered, and then closes the connection', async () => {
    const server = await serve({ status: 400, headers: { 'Content-Length': '0' }, body: null })
    const socket = connect(server.port, '127.0.0.1')
    sockets.push(socket)
    socket.write('PUT / HTTP/1.1\r\nHost: 127.0.0.1:')
    socket.write(`${server.port}\r\nContent-Length: 10\r\n\r\nfirst`)
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 400 /)
    const stopped = server.stop()
    const ended = once(socket, 'end')
    socket.write('after')
    await ended
    await stopped
  })
})
