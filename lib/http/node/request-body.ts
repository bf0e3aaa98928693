/**
 * The body of a Node request as an async iterable that never hangs and never hides a broken connection.
 * Unlike the stream's own iterator, it keeps the socket open when its reader stops early, so that a refusal can still be sent.
 */
import type { IncomingMessage } from 'node:http'
import { BucketError } from '../../domain/errors.ts'
import { KIB, MIB } from '../../domain/limits.ts'
import { Allowance } from '../../flow/allowance.ts'

/** How slowly a body may arrive. Only time in which the server waits for the sender counts. */
export interface BodyPace {
  /** The least average rate over each `graceMs`, in bytes per second: at least one byte. */
  readonly bytesPerSecond: number
  readonly graceMs: number
}

/** The bytes of all bodies that have arrived and that no reader has taken yet. */
const MEMORY = new Allowance({ total: 32 * MIB, most: MIB, least: 64 * KIB })

/**
 * @throws BucketError (into the reader) `request_timeout` when the sender is slower than `pace`; the stream's error when the
 * connection breaks.
 */
export const requestBody = (
  incoming: IncomingMessage,
  pace: BodyPace,
): AsyncIterableIterator<Uint8Array, void, undefined> => new RequestBody(incoming, pace)

/**
 * The whole body, if all of it has arrived. The caller then calls `endBody`.
 *
 * @param size of the body in bytes.
 */
export const arrivedBody = (incoming: IncomingMessage, size: number): Uint8Array | undefined =>
  incoming.readableLength === size ? (incoming.read() ?? new Uint8Array(0)) : undefined

/** Ends the stream of a body that was read to its last byte: Node notices the end only at the next read. */
export const endBody = (incoming: IncomingMessage): void => void incoming.read()

type Step = IteratorResult<Uint8Array, void>

const END: Step = { done: true, value: undefined }

class RequestBody implements AsyncIterableIterator<Uint8Array, void, undefined> {
  readonly #incoming: IncomingMessage
  readonly #watch: SenderWatch
  #arrived: Uint8Array[] = []
  #bytes = 0
  #isPaused = false
  #reader: { readonly resolve: (step: Step) => void; readonly reject: (error: Error) => void } | undefined
  #isOpen = false
  /** Set when no more bytes come: why, or `end`. */
  #over: Error | 'end' | undefined

  constructor(incoming: IncomingMessage, pace: BodyPace) {
    this.#incoming = incoming
    this.#watch = new SenderWatch(pace, (error) => this.#finish(error))
  }

  [Symbol.asyncIterator]() {
    return this
  }

  next(): Promise<Step> {
    if (!this.#isOpen) this.#open()
    const chunk = this.#arrived.shift()
    if (chunk !== undefined) {
      this.#bytes -= chunk.byteLength
      MEMORY.give(chunk.byteLength)
      return Promise.resolve({ done: false, value: chunk })
    }
    if (this.#over === 'end') return Promise.resolve(END)
    if (this.#over !== undefined) return Promise.reject(this.#over)
    this.#watch.start()
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      if (this.#isPaused) this.#incoming.resume()
      this.#isPaused = false
    })
  }

  async return(): Promise<Step> {
    if (this.#isOpen && this.#over === undefined) this.#incoming.pause()
    this.#finish('end')
    MEMORY.give(this.#bytes)
    this.#bytes = 0
    this.#arrived = []
    return END
  }

  /** Listens from the first read on: a body without a reader holds no memory. */
  #open(): void {
    this.#isOpen = true
    const incoming = this.#incoming
    if (incoming.readableEnded) this.#over ??= 'end'
    else if (incoming.destroyed) this.#over ??= incoming.errored ?? broken()
    if (this.#over === undefined)
      incoming
        .on('data', this.#onData)
        .on('end', this.#onEnd)
        .on('close', this.#onClose)
        .on('error', this.#onError)
  }

  readonly #onData = (chunk: Uint8Array) => {
    this.#watch.count(chunk.byteLength)
    const reader = this.#reader
    if (reader !== undefined) {
      this.#reader = undefined
      this.#watch.stop()
      reader.resolve({ done: false, value: chunk })
      return
    }
    this.#arrived.push(chunk)
    this.#bytes += chunk.byteLength
    MEMORY.take(chunk.byteLength)
    if (this.#isPaused || this.#bytes < MEMORY.share) return
    this.#incoming.pause()
    this.#isPaused = true
  }
  readonly #onEnd = () => this.#finish('end')
  readonly #onError = (error: Error) => this.#finish(error)
  readonly #onClose = () => this.#finish(broken())

  #finish(how: Error | 'end'): void {
    if (this.#over !== undefined) return
    this.#over = how
    this.#watch.end()
    this.#incoming
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('close', this.#onClose)
      .off('error', this.#onError)
    const reader = this.#reader
    this.#reader = undefined
    if (how === 'end') reader?.resolve(END)
    else reader?.reject(how)
  }
}

const broken = () => new Error('the connection broke before the body was complete')

/** Measures how fast a sender is while the server waits for it, with one timer for a whole body. */
class SenderWatch {
  readonly #pace: BodyPace
  readonly #expire: (error: BucketError) => void
  #timer: NodeJS.Timeout | undefined
  /** Bytes of the current period. */
  #bytes = 0
  /** Milliseconds of waiting in the current period, without the wait that is under way. */
  #waited = 0
  #waitsSince: number | undefined

  constructor(pace: BodyPace, expire: (error: BucketError) => void) {
    this.#pace = pace
    this.#expire = expire
  }

  start(): void {
    this.#waitsSince = performance.now()
    this.#timer ??= setTimeout(this.#check, this.#pace.graceMs - this.#waited)
  }

  count(bytes: number): void {
    this.#bytes += bytes
  }

  stop(): void {
    if (this.#waitsSince !== undefined) this.#waited += performance.now() - this.#waitsSince
    this.#waitsSince = undefined
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  readonly #check = () => {
    const { graceMs, bytesPerSecond } = this.#pace
    this.#timer = undefined
    if (this.#waitsSince === undefined) return // the next wait sets the timer again
    this.stop()
    if (this.#waited >= graceMs) {
      const least = Math.max(1, (bytesPerSecond * graceMs) / 1000)
      if (this.#bytes < least) {
        this.#expire(tooSlow(this.#bytes, this.#pace))
        return
      }
      this.#waited = 0
      this.#bytes = 0
    }
    this.#waitsSince = performance.now()
    this.#timer = setTimeout(this.#check, Math.ceil(graceMs - this.#waited))
  }
}

const tooSlow = (bytes: number, { bytesPerSecond, graceMs }: BodyPace) =>
  new BucketError(
    'request_timeout',
    bytes === 0
      ? `no byte of the body arrived for ${graceMs / 1000} s`
      : `the body arrives too slowly: ${bytes} bytes in ${graceMs / 1000} s, and the least rate is ${bytesPerSecond} bytes per second`,
    {},
  )
