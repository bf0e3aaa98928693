/** What the transport over `fetch` leaves on a signal that outlives its requests: nothing, however they end. */
import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DEFAULT_TIMEOUTS, type OutgoingRequest } from '../../../lib/client/api/transport.ts'
import { fetchTransport } from '../../../lib/client/browser/fetch-transport.ts'
import { bytesSource } from '../../../lib/client/transfer/source.ts'
import { type ClientFront, startFront } from '../../support/client-front.ts'

let front: ClientFront
let given: AbortController
beforeEach(async () => {
  front = await startFront()
  given = new AbortController()
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await front.close()
})

const send = (more: Partial<OutgoingRequest> = {}) =>
  fetchTransport().send({
    method: 'GET',
    url: new URL(front.url),
    headers: {},
    signal: given.signal,
    timeouts: DEFAULT_TIMEOUTS,
    ...more,
  })

const listeners = () => getEventListeners(given.signal, 'abort')

describe('the listener on the caller’s signal', () => {
  it('exists as long as the request', async () => {
    const response = await send()
    expect(listeners()).toHaveLength(1)
    response.discard()
    expect(listeners()).toEqual([])
  })

  it('is removed after the response was read', async () => {
    for await (const _ of (await send()).body);
    expect(listeners()).toEqual([])
  })

  it('is removed after a response without a body', async () => {
    front.misbehave = (_, response) => {
      response.writeHead(204).end()
      return true
    }
    for await (const _ of (await send()).body);
    expect(listeners()).toEqual([])
  })

  it('is removed if the server is unreachable', async () => {
    await front.close()
    await expect(send()).rejects.toMatchObject({ kind: 'unreachable' })
    expect(listeners()).toEqual([])
    front = await startFront()
  })

  it('is removed if no response comes in time', async () => {
    front.misbehave = () => true
    const timeouts = { ...DEFAULT_TIMEOUTS, idleMs: 100 }
    await expect(send({ timeouts })).rejects.toMatchObject({ kind: 'stalled' })
    expect(listeners()).toEqual([])
  })

  it('is removed if the body cannot be read', async () => {
    const open = () => {
      throw new Error('no such file')
    }
    const body = { ...bytesSource(new Uint8Array(1)), open }
    await expect(send({ method: 'PUT', body })).rejects.toThrow('no such file')
    expect(listeners()).toEqual([])
  })

  it('is removed if the response is a redirect, which a browser hides', async () => {
    // The fetch of Node shows what it should hide.
    vi.stubGlobal('fetch', async () => ({ type: 'opaqueredirect', status: 0, headers: new Headers() }))
    await expect(send()).rejects.toMatchObject({ kind: 'unexpected_response' })
    expect(listeners()).toEqual([])
  })
})
