/** A download whose reader has had enough: nothing is waited for, nothing is asked for again. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NetworkError } from '../../../lib/client/api/network-error.ts'
import { DEFAULT_RETRY, pause, retrying } from '../../../lib/client/api/retry.ts'
import { BucketClient, type VerifiedStream } from '../../../lib/client/node.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { collectGarbage } from '../../support/garbage.ts'
import { someBytes } from '../../support/random-bytes.ts'

const REF = 'prod-models/llama/v1'
const bytes = someBytes(4 * MIB)
/** Longer than the time limit of a test: a wait of this length is a hang. */
const FOR_EVER = 600_000

let front: ClientFront
let closed: Promise<unknown>[]

beforeEach(async () => {
  front = await startFront()
  front.put(REF, bytes)
  closed = []
})
afterEach(async () => await front.close())

/** Forwards the first 2 MiB of a response and then says nothing, or breaks; later requests get no response at all. */
function play(how: 'silence' | 'cut'): void {
  front.misbehave = (request) => {
    closed.push(new Promise((resolve) => request.socket.once('close', resolve)))
    if (front.received.length > 1) return true
    return { after: { bytes: 2 * MIB, how: how === 'cut' ? 'cut' : 'stall' } }
  }
}

const get = (baseMs: number, signal?: AbortSignal) =>
  new BucketClient({
    url: front.url,
    retry: { baseMs, maxDelayMs: baseMs },
    timeouts: { idleMs: FOR_EVER },
  }).get(REF, { signal })

/** Reads as long as something comes; the last read is still waiting when this resolves. */
async function readUntilSilent(stream: VerifiedStream) {
  const reader = stream.getReader()
  let received = 0
  const reading = (async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read())
      received += next.value.byteLength
  })()
  // What was received but the MiB that is held back.
  await expect.poll(() => received).toBeGreaterThan(MIB / 2)
  await new Promise((resolve) => setTimeout(resolve, 50))
  return { reader, reading }
}

describe('cancelling a get', { timeout: 10_000 }, () => {
  it('ends at once while the server is silent, without another request', async () => {
    play('silence')
    const { reader, reading } = await readUntilSilent(await get(1))
    await reader.cancel(new Error('enough'))
    await reading
    await closed[0]
    expect(front.received).toHaveLength(1)
  })

  it('ends at once while it waits before a retry', async () => {
    play('cut')
    const { reader, reading } = await readUntilSilent(await get(FOR_EVER))
    await reader.cancel()
    await reading
    expect(front.received).toHaveLength(1)
  })

  it('ends at once while it resumes on another connection', async () => {
    play('cut')
    const { reader, reading } = await readUntilSilent(await get(1))
    await expect.poll(() => front.received.length).toBe(2)
    await reader.cancel()
    await reading
    await closed[1]
    expect(front.received).toHaveLength(2)
  })

  it('works together with a signal that stops it', async () => {
    play('silence')
    const given = new AbortController()
    const { reading } = await readUntilSilent(await get(1, given.signal))
    given.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    await closed[0]
  })

  it('works with a time limit to which only the client refers', async () => {
    play('silence')
    const { reading } = await readUntilSilent(await get(1, AbortSignal.timeout(300)))
    const collecting = setInterval(collectGarbage, 10)
    await expect(reading).rejects.toThrow(expect.objectContaining({ name: 'TimeoutError' }))
    clearInterval(collecting)
  })
})

describe('a signal that breaks off a request', () => {
  it('announces no retry of it', async () => {
    const events: unknown[] = []
    const retrier = { retry: DEFAULT_RETRY, onEvent: (event: unknown) => events.push(event) }
    const stop = new AbortController()
    const broken = new NetworkError('interrupted', 'the connection ended after 0 of 3 bytes')
    const attempt = async () => {
      stop.abort(new Error('enough'))
      throw broken
    }
    await expect(retrying(retrier, stop.signal, attempt)).rejects.toThrow('enough')
    await expect(pause(retrier, 2, 1, broken, stop.signal)).rejects.toThrow('enough')
    expect(events).toEqual([])
  })
})
