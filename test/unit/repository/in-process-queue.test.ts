/** The in-process queue delivers every verification until it is done, a few at a time, and loses none. */
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import {
  type DeliveryRecord,
  type InProcessQueueOptions,
  inProcessQueue,
} from '../../../lib/repository/in-process-queue.ts'
import type { VerificationRequest } from '../../../lib/repository/upload-ports.ts'
import { blobOf, someBytes } from '../../support/fake-artifacts.ts'

const requestOf = (version: string): VerificationRequest => ({
  id: blobOf(`b/a/${version}`, someBytes(1)),
  attempt: 'first',
})

function queueOf(options: Partial<InProcessQueueOptions>) {
  const lines: DeliveryRecord[] = []
  const queue = inProcessQueue({
    verify: async () => 'committed',
    abandon: async () => {},
    firstDelay: 1,
    ...options,
    log: (record) => void lines.push(record),
  })
  /** Resolves when there are so many lines. */
  const written = async (count: number) => {
    while (lines.length < count) await wait(1)
    return lines
  }
  return { queue, lines, written }
}

describe('a verification', () => {
  it('is delivered, and logged in one line', async () => {
    const { queue, written } = queueOf({})
    const request = requestOf('v')
    await queue.send(request)
    const [line] = await written(1)
    expect(line).toMatchObject({
      operation: 'verify',
      delivery: 1,
      outcome: 'committed',
      bucketId: 'b',
      artifactId: 'a',
      version: 'v',
      digest: request.id.digest,
      attempt: 'first',
    })
    await queue.close()
  })

  it('that fails has the code of its failure in the log, and every other fact that the verifier noted', async () => {
    const { queue, written } = queueOf({
      async verify(_request, _signal, note) {
        note({ size: 5 })
        note({ code: 'digest_mismatch' })
        return 'failed'
      },
    })
    await queue.send(requestOf('v'))
    const [line] = await written(1)
    expect(line).toMatchObject({ outcome: 'failed', code: 'digest_mismatch', size: 5 })
    await queue.close()
  })

  it('is redelivered if it failed, with the reason in the log', async () => {
    let failures = 3
    const { queue, written } = queueOf({
      async verify() {
        if (failures-- > 0) throw new Error('the disk failed', { cause: new Error('EIO') })
        return 'committed'
      },
    })
    await queue.send(requestOf('v'))
    const lines = await written(4)
    expect(lines.map(({ outcome, delivery }) => [delivery, outcome])).toEqual([
      [1, 'retry'],
      [2, 'retry'],
      [3, 'retry'],
      [4, 'committed'],
    ])
    expect(lines[0]?.error).toBe('the disk failed (EIO)')
    await queue.close()
  })

  it('fails its upload after its last attempt, and retries that until it succeeds', async () => {
    let refusals = 2
    const { queue, written } = queueOf({
      tries: 3,
      verify: async () => {
        throw new Error('no')
      },
      async abandon() {
        if (refusals-- > 0) throw new Error('a verifier is at work')
      },
    })
    await queue.send(requestOf('v'))
    expect((await written(6)).map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
      'verify retry',
      'verify retry',
      'verify retry',
      'abandon retry',
      'abandon retry',
      'abandon abandoned',
    ])
    await queue.close()
  })

  it('that is queued again while waiting is delivered once; while being handled, once more', async () => {
    let release = () => {}
    let deliveries = 0
    const { queue, written } = queueOf({
      concurrency: 1,
      verify: (request) => {
        if (request.id.ref.version === 'blocker') return Promise.resolve('committed')
        deliveries += 1
        if (deliveries > 1) return Promise.resolve('stale')
        return new Promise((resolve) => {
          release = () => resolve('stale')
        })
      },
    })
    await queue.send(requestOf('blocker'))
    await queue.send(requestOf('v'))
    await queue.send(requestOf('v'))
    await written(1)
    while (deliveries === 0) await wait(1)
    await queue.send(requestOf('v'))
    release()
    await written(3)
    await queue.close()
    expect(deliveries).toBe(2)
  })

  it('waits while the maximum number is in progress', async () => {
    let running = 0
    let most = 0
    const { queue, written } = queueOf({
      concurrency: 2,
      async verify() {
        most = Math.max(most, ++running)
        await wait(2)
        running -= 1
        return 'committed'
      },
    })
    for (let at = 0; at < 10; at++) await queue.send(requestOf(`v${at}`))
    await written(10)
    expect(most).toBe(2)
    await queue.close()
  })
})

describe('closing', () => {
  it('stops verifications in progress, waits for their end, and delivers nothing more', async () => {
    const events: string[] = []
    const { queue, lines } = queueOf({
      concurrency: 1,
      async verify({ id }, signal) {
        events.push(`begin ${id.ref.version}`)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        await wait(2)
        events.push('lease released')
        throw signal.reason
      },
    })
    await queue.send(requestOf('v1'))
    await queue.send(requestOf('v2'))
    await queue.close()
    events.push('closed')
    await queue.send(requestOf('v3'))
    await wait(5)
    expect(events).toEqual(['begin v1', 'lease released', 'closed'])
    expect(lines).toEqual([])
  })
})
