/** The behaviour of a queue: at-least-once delivery, hidden while being handled, and dead letters at the end. */
import type { Message } from '../support/fake-queue.ts'

/** Longer than any process and any lease lasts, in milliseconds, like a queue's visibility timeout. */
const VISIBILITY_MS = 20 * 60_000
/** The number of deliveries before a message becomes a dead letter. */
const MAX_DELIVERIES = 4

interface Delivery {
  deliveries: number
  /** The processes that handle it. */
  underWay: readonly string[]
  visibleAt: number
}

export class Deliveries {
  readonly #of = new Map<number, Delivery>()

  /** The possible events of a message, as choices of a world: its next delivery, its move to the dead letters, or a duplicate. */
  choices(messages: readonly Message[], now: number, mayRepeat: boolean) {
    const due = messages.filter(({ number }) => {
      const { underWay, visibleAt } = this.#get(number)
      return underWay.length === 0 && visibleAt <= now
    })
    const isSpent = ({ number }: Message) => this.#get(number).deliveries >= MAX_DELIVERIES
    return {
      fresh: due.filter((message) => !isSpent(message)).map(({ number }) => `deliver ${number}`),
      dead: due.filter(isSpent).map(({ number }) => `bury ${number}`),
      again: mayRepeat
        ? messages.filter((message) => !due.includes(message)).map(({ number }) => `deliver ${number} again`)
        : [],
    }
  }

  /** @returns the function to call when the process `name` that received the message has ended. */
  begin({ number }: Message, name: string, now: number): () => void {
    const delivery = this.#get(number)
    delivery.deliveries += 1
    delivery.underWay = [...delivery.underWay, name]
    delivery.visibleAt = now + VISIBILITY_MS
    return () => {
      delivery.underWay = delivery.underWay.filter((other) => other !== name)
    }
  }

  /** The times at which messages become visible again. */
  get times(): readonly number[] {
    return [...this.#of.values()].map(({ visibleAt }) => visibleAt)
  }

  /** Whether a message became a dead letter. */
  get isBuried(): boolean {
    return [...this.#of.values()].some(({ deliveries }) => deliveries > MAX_DELIVERIES)
  }

  state({ number }: Message): Delivery {
    return this.#get(number)
  }

  #get(number: number): Delivery {
    const known = this.#of.get(number)
    if (known) return known
    const delivery = { deliveries: 0, underWay: [], visibleAt: 0 }
    this.#of.set(number, delivery)
    return delivery
  }
}
