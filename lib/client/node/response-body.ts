/**
 * The body of a response as an async iterable. It listens to `data` events: Node's own iterator stops and starts the socket for every
 * chunk. One timer watches all waits of a body.
 */
import type { IncomingMessage } from 'node:http'
import { timerMs } from '../../flow/abort.ts'

/** Bytes that may wait for the reader before the socket is paused. */
const BACKLOG_BYTES = 512 * 1024

export interface BodyWatch {
  /** The longest wait for a chunk, in milliseconds. */
  readonly idleMs: number
  /** Called after such a wait. Its error ends the body. */
  readonly stalled: () => Error
  /** @returns what the reader gets for an error. */
  readonly translate: (error: Error) => unknown
  /** Called once, when the reader needs no more bytes or no more come. @param isWhole whether the last byte arrived. */
  readonly ended: (isWhole: boolean) => void
}

type Step = IteratorResult<Uint8Array, void>

const END: Step = { done: true, value: undefined }

/** A body that is never read is not watched, and holds no more than Node's own buffer. */
export class ResponseBody implements AsyncIterableIterator<Uint8Array, void, undefined> {
  readonly #message: IncomingMessage
  readonly #watch: BodyWatch
  #arrived: Uint8Array[] = []
  #bytes = 0
  #isPaused = false
  #isOpen = false
  #reader: { readonly resolve: (step: Step) => void; readonly reject: (error: unknown) => void } | undefined
  /** Set when no more bytes come. */
  #over: 'end' | { readonly error: unknown } | undefined
  #timer: NodeJS.Timeout | undefined
  /** When the wait that is under way began; undefined while the reader works. */
  #waitsSince: number | undefined

  constructor(message: IncomingMessage, watch: BodyWatch) {
    this.#message = message
    this.#watch = watch
  }

  [Symbol.asyncIterator]() {
    return this
  }

  next(): Promise<Step> {
    if (!this.#isOpen) this.#open()
    const chunk = this.#arrived.shift()
    if (chunk !== undefined) {
      this.#bytes -= chunk.byteLength
      return Promise.resolve({ done: false, value: chunk })
    }
    if (this.#over === 'end') return Promise.resolve(END)
    if (this.#over !== undefined) return Promise.reject(this.#over.error)
    this.#waitsSince = performance.now()
    this.#timer ??= setTimeout(this.#check, timerMs(this.#watch.idleMs))
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      if (this.#isPaused) this.#message.resume()
      this.#isPaused = false
    })
  }

  /** A reader that has counted its bytes stops before the end. If all of them are here, the connection can be used again. */
  async return(): Promise<Step> {
    const { complete } = this.#message
    this.#finish('end', complete)
    this.#arrived = []
    if (complete) this.#message.resume()
    return END
  }

  #open(): void {
    this.#isOpen = true
    const message = this.#message
    if (message.readableEnded) this.#finish('end', true)
    else if (message.destroyed) this.#finish(message.errored ?? broken(), false)
    else
      message
        .on('data', this.#onData)
        .on('end', () => this.#finish('end', true))
        .on('error', (error: Error) => this.#finish(error, false))
        .on('close', () => this.#finish(broken(), false))
  }

  readonly #onData = (chunk: Uint8Array) => {
    if (this.#over !== undefined) return
    const reader = this.#reader
    if (reader !== undefined) {
      this.#reader = undefined
      this.#waitsSince = undefined
      reader.resolve({ done: false, value: chunk })
      return
    }
    this.#arrived.push(chunk)
    this.#bytes += chunk.byteLength
    if (this.#bytes < BACKLOG_BYTES) return
    this.#message.pause()
    this.#isPaused = true
  }

  readonly #check = () => {
    const { idleMs, stalled } = this.#watch
    this.#timer = undefined
    if (this.#waitsSince === undefined) return // the next wait sets the timer again
    const left = this.#waitsSince + idleMs - performance.now()
    if (left <= 0) this.#finish(stalled(), false)
    else this.#timer = setTimeout(this.#check, timerMs(Math.ceil(left)))
  }

  #finish(how: Error | 'end', isWhole: boolean): void {
    if (this.#over !== undefined) return
    const over = how === 'end' ? how : { error: this.#watch.translate(how) }
    this.#over = over
    clearTimeout(this.#timer)
    this.#watch.ended(isWhole)
    const reader = this.#reader
    this.#reader = undefined
    if (over === 'end') reader?.resolve(END)
    else reader?.reject(over.error)
  }
}

const broken = () => Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
