/** The body of a response, over a real server: bounded while its reader waits, and whole, or an error. */
import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ResponseBody } from '../../../lib/client/node/response-body.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { someBytes } from '../../support/random-bytes.ts'

let answer: (response: ServerResponse) => void
const server = createServer((_, response) => answer(response))
beforeEach(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterEach(async () => {
  agent.destroy()
  server.closeAllConnections()
  await once(server.close(), 'close')
})

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

async function open(idleMs: number) {
  const request = get({ agent, port: (server.address() as AddressInfo).port })
  const [message] = (await once(request, 'response')) as [IncomingMessage]
  const told: boolean[] = []
  const body = new ResponseBody(message, {
    idleMs,
    stalled: () => new Error('stalled'),
    translate: (error) => error,
    ended: (isWhole) => told.push(isWhole),
  })
  return { request, message, body, told }
}

const MINUTE = 60_000

describe('the body of a response', () => {
  it('arrives in order and whole', async () => {
    const bytes = someBytes(8 * MIB + 1)
    answer = (response) => response.end(bytes)
    const { body, told } = await open(MINUTE)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    expect(told).toEqual([true])
  })

  it('pauses its connection while the reader takes nothing, and continues', async () => {
    const bytes = someBytes(32 * MIB)
    answer = (response) => response.end(bytes)
    const { message, body } = await open(MINUTE)
    const first = await body.next()
    let arrived = 0
    message.on('data', (chunk: Uint8Array) => {
      arrived += chunk.byteLength
    })
    if (!message.isPaused()) await once(message, 'pause')
    expect(arrived).toBeLessThan(MIB)
    const chunks = [first.value ?? new Uint8Array(0)]
    for await (const chunk of body) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })

  it('that breaks off is an error after the bytes that arrived', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('half', () => response.destroy())
    }
    const { body, told } = await open(MINUTE)
    expect(String((await body.next()).value)).toBe('half')
    await expect(body.next()).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(told).toEqual([false])
  })

  it('may stall without a limit, which no timer gets', async () => {
    const warnings: Error[] = []
    const warn = (warning: Error) => warnings.push(warning)
    process.on('warning', warn)
    answer = (response) => response.write('half', () => setTimeout(() => response.end('rest'), 50))
    const { body } = await open(Number.POSITIVE_INFINITY)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    process.off('warning', warn)
    expect(String(Buffer.concat(chunks))).toBe('halfrest')
    expect(warnings).toEqual([])
  })

  it('that stalls is an error', async () => {
    answer = (response) => response.write('half')
    const { body, told } = await open(50)
    await body.next()
    await expect(body.next()).rejects.toThrow('stalled')
    expect(told).toEqual([false])
  })

  it('leaves its connection to the next request when the reader stops after the last byte', async () => {
    answer = (response) => response.end('all')
    for (const isReused of [false, true, true]) {
      const { request, body, told } = await open(MINUTE)
      expect(request.reusedSocket).toBe(isReused)
      for await (const chunk of body) {
        expect(String(chunk)).toBe('all')
        break
      }
      expect(told).toEqual([true])
    }
  })

  it('ends for a reader that stops early', async () => {
    answer = (response) => response.write('half')
    const { body, told } = await open(MINUTE)
    for await (const chunk of body) {
      expect(String(chunk)).toBe('half')
      break
    }
    expect(told).toEqual([false])
    expect(await body.next()).toEqual({ done: true, value: undefined })
  })
})
