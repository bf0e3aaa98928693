/**
 * A queue of verifications in memory that delivers only on request. The test decides which message comes when, how often, and
 * whether it is ever acknowledged, as a queue with at-least-once delivery may do.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { VerificationQueue, VerificationRequest } from '../../lib/repository/upload-ports.ts'

export interface Message {
  readonly number: number
  readonly request: VerificationRequest
}

export interface FakeQueue extends VerificationQueue {
  /** The messages without acknowledgement, oldest first. */
  readonly messages: readonly Message[]
  /** Removes a message from the queue, even if another receiver holds it. */
  acknowledge(message: Message): void
}

export function fakeQueue(): FakeQueue {
  const messages: Message[] = []
  let number = 0
  return {
    async send({ id, attempt }) {
      // A message goes through a queue as text: only the port's two members arrive.
      messages.push({ number: ++number, request: structuredClone({ id, attempt }) })
    },
    get messages() {
      return [...messages]
    },
    acknowledge(message) {
      const at = messages.findIndex((other) => other.number === message.number)
      if (at >= 0) messages.splice(at, 1)
    },
  }
}

const REDELIVERY_MS = 5

/** A queue that delivers at once, and again after each refused delivery, for at most `tries` deliveries. */
export function deliveringQueue(
  receive: (request: VerificationRequest) => Promise<unknown>,
  tries = 20,
): VerificationQueue {
  async function deliver(request: VerificationRequest, left: number): Promise<void> {
    await wait(left === tries ? 0 : REDELIVERY_MS)
    await receive(request).catch((error: unknown) => {
      if (left === 1) throw error
      return deliver(request, left - 1)
    })
  }
  return {
    async send({ id, attempt }) {
      void deliver({ id, attempt }, tries)
    },
  }
}
