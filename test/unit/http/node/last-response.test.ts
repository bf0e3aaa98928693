/** A connection whose input is broken gets one last response. The server drops further bytes of its client, and keeps none. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import type { Api } from '../../../../lib/http/api.ts'
import { startServer } from '../../../../lib/http/node/server.ts'

it('a client that sends requests after its last response is not heard, and its connection closes', async () => {
  let requests = 0
  const answer = (status: number) => ({ status, headers: { 'Content-Length': '0' }, body: null })
  const api: Api = {
    async handle() {
      requests += 1
      return answer(200)
    },
    refuse: () => answer(408),
  }
  const timeouts = { headers: 100, linger: 500 }
  const server = await startServer({ api, host: '127.0.0.1', port: 0, timeouts })
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const whole = 'GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n'
  socket.write(whole.slice(0, -2))
  const [response] = await once(socket, 'data')
  expect(String(response)).toMatch(/^HTTP\/1\.1 408 /)
  // Always something new, so that the limit for an idle connection is not what closes this one.
  const flood = setInterval(() => socket.write(whole.repeat(10)), 10)
  await closed
  clearInterval(flood)
  expect(requests).toBe(0)
  await server.stop()
})
