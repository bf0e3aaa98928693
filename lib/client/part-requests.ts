/**
 * Presigned requests for the parts that are still to be sent: asked for several at a time, and not long before they are
 * used, since they expire.
 */
import { MAX_PARTS_PER_REQUEST } from '../domain/limits.ts'
import type { Front, Presigned } from './front.ts'
import { partRequests, type UploadId } from './upload-calls.ts'

export interface PartToSend {
  /** From 1. */
  readonly number: number
  /** 64 hex digits. */
  readonly sha256: string
}

/** The requests for the parts of one upload; whoever sends them at once shares it. */
export class PartRequests {
  readonly #front: Front
  readonly #id: UploadId
  readonly #parts: readonly PartToSend[]
  readonly #signal: AbortSignal | undefined
  readonly #ready = new Map<number, Presigned>()
  /** The parts before it have been asked for. */
  #next = 0
  #asking: Promise<void> | undefined

  /** @param parts in the order in which they will be taken. */
  constructor(front: Front, id: UploadId, parts: readonly PartToSend[], signal: AbortSignal | undefined) {
    this.#front = front
    this.#id = id
    this.#parts = parts
    this.#signal = signal
  }

  /**
   * The request for a part, once.
   *
   * @param ahead for how many parts to ask together.
   */
  async take(part: PartToSend, ahead: number): Promise<Presigned> {
    for (;;) {
      const request = this.#ready.get(part.number)
      this.#ready.delete(part.number)
      if (request) return request
      this.#asking ??= this.#ask(ahead).finally(() => {
        this.#asking = undefined
      })
      await this.#asking
    }
  }

  /** Another request for a part. */
  async fresh(part: PartToSend): Promise<Presigned | undefined> {
    return (await partRequests(this.#front, this.#id, [part], this.#signal)).get(part.number)
  }

  async #ask(ahead: number): Promise<void> {
    const batch = this.#parts.slice(this.#next, this.#next + Math.min(ahead, MAX_PARTS_PER_REQUEST))
    const requests = await partRequests(this.#front, this.#id, batch, this.#signal)
    for (const { number } of batch) {
      const request = requests.get(number)
      if (request) this.#ready.set(number, request)
    }
    this.#next += batch.length
  }
}
