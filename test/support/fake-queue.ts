/**
 * A queue of verifications in memory: it delivers nothing by itself. Who tests decides which message comes when, how often,
 * and whether it is ever acknowledged, as a queue that delivers at least once does.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { VerificationQueue, VerificationRequest } from '../../lib/repository/upload-ports.ts'

export interface Message {
  readonly number: number
  readonly request: VerificationRequest
}

export interface FakeQueue extends VerificationQueue {
  /** What was sent and not acknowledged, oldest first. */
  readonly messages: readonly Message[]
  /** Takes a message out of the queue, whoever else was given it. */
  acknowledge(message: Message): void
}

export function fakeQueue(): FakeQueue {
  const messages: Message[] = []
  let number = 0
  return {
    async send({ id, attempt }) {
      // What goes through a queue is text: nothing but the port's two members may be counted on.
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

/** A queue that delivers at once, and again when the delivery was refused, until it was tried `tries` times. */
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
