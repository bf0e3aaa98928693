/**
 * One connection of a server, and the order of its responses. Pipelined requests run one after another, in the order in which they
 * came (RFC 9112, section 9.3.2 lets only safe ones run at the same time). Unparseable input is answered last.
 *
 * A connection reads no further while many requests wait on it, and lets other connections run between its requests.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** A connection with this many waiting requests reads no more bytes. One read of 64 KiB may add many at once. */
const MAX_WAITING = 16
/** After this many responses in a row, requests of other connections run. */
const IN_A_ROW = 16

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly run: () => void
}

export class Connection {
  /** Whether the server had too many connections already, so that this one gets only a refusal. */
  readonly isSurplus: boolean
  readonly #socket: Socket
  readonly #lingerMs: number
  readonly #waiting: Exchange[] = []
  #running: Exchange | undefined
  /** The newest request that is not yet answered, or whose body is still arriving. */
  #newest: Exchange | undefined
  #isHeld = false
  #isBroken = false
  #isStopping = false
  #inARow = 0
  /** Responds to unparseable input. */
  #end: (() => void) | undefined

  /** @param lingerMs how long a peer may keep sending after its last response, in milliseconds. */
  constructor(socket: Socket, isSurplus: boolean, lingerMs: number) {
    this.#socket = socket
    this.isSurplus = isSurplus
    this.#lingerMs = lingerMs
    // Node starts to read again after each response.
    socket.on('resume', () => {
      if (this.#isHeld) socket.pause()
    })
  }

  /** Whether the receiver has bytes to read: a response has begun, or no request is running. */
  get waitsForReceiver(): boolean {
    return this.#running === undefined || hasBegun(this.#running.outgoing)
  }

  /** Calls `run` when it is the turn of the request, or never if the connection has closed by then. */
  turn(incoming: IncomingMessage, outgoing: ServerResponse, run: () => void): void {
    const exchange = { incoming, outgoing, run }
    this.#newest = exchange
    if (this.#running === undefined && this.#waiting.length === 0) {
      this.#start(exchange)
      return
    }
    this.#waiting.push(exchange)
    if (this.#waiting.length < MAX_WAITING || this.#isHeld) return
    this.#isHeld = true
    this.#socket.pause()
  }

  /**
   * Responds to unparseable input after all earlier pipelined responses, then closes the connection.
   *
   * @param answer returns the whole response, as bytes of HTTP/1.1.
   */
  end(answer: () => Promise<string>): void {
    if (this.#isBroken) return
    this.#isBroken = true
    const newest = this.#newest
    const isInBody = newest?.incoming.complete === false
    this.#end = () => {
      this.#end = undefined
      // The receiver would read further bytes as part of a response that has begun.
      if (isInBody && hasBegun(newest.outgoing)) this.#socket.destroy()
      else if (this.#socket.writable) void answer().then((bytes) => this.#endWith(bytes))
      else this.#socket.destroySoon()
    }
    const isLast = this.#running === undefined || (isInBody && this.#running === newest)
    if (isLast && this.#waiting.length === 0) this.#end()
  }

  /**
   * Sends the last response. A peer may read it only when it has sent everything, so the socket stays open for a while. The parser gets
   * no more input: Node would keep each further request, although the server does not answer it.
   */
  #endWith(bytes: string): void {
    const socket = this.#socket
    this.#isHeld = false
    socket
      .removeAllListeners('data')
      .on('data', () => {})
      .resume()
    socket.end(bytes)
    const timer = setTimeout(() => socket.destroy(), this.#lingerMs)
    socket.once('close', () => clearTimeout(timer))
  }

  /** Closes at once, or after the running request. */
  stop(): void {
    this.#isStopping = true
    if (!this.#newest) this.#socket.destroy()
  }

  #start(exchange: Exchange): void {
    const { incoming, outgoing } = exchange
    if (this.#socket.destroyed || (this.#isBroken && !incoming.complete)) {
      this.#next()
      return
    }
    this.#running = exchange
    outgoing.on('close', () => this.#close(exchange))
    exchange.run()
  }

  #close(exchange: Exchange): void {
    this.#running = undefined
    const { incoming } = exchange
    if (incoming.complete || this.#socket.destroyed) {
      this.#finish(exchange)
    } else {
      const finish = () => this.#finish(exchange)
      incoming.once('end', finish).once('close', finish)
    }
    this.#next()
  }

  #next(): void {
    this.#inARow = this.#waiting.length === 0 ? 0 : this.#inARow + 1
    if (this.#inARow < IN_A_ROW) {
      this.#startNext()
    } else {
      this.#inARow = 0
      setImmediate(() => this.#startNext())
    }
  }

  #startNext(): void {
    // A request that came in the meantime runs already.
    if (this.#running !== undefined) return
    const exchange = this.#waiting.shift()
    if (this.#isHeld && this.#waiting.length < MAX_WAITING / 2) {
      this.#isHeld = false
      this.#socket.resume()
    }
    if (exchange !== undefined) this.#start(exchange)
    else this.#end?.()
  }

  #finish(exchange: Exchange): void {
    if (this.#newest !== exchange) return
    this.#newest = undefined
    // A connection that was busy when the stop began would otherwise stay open for its next request.
    if (this.#isStopping) this.#socket.destroySoon()
  }
}

/** A response that was sent as a whole has no headers of its own (`whole-response.ts`). */
const hasBegun = (outgoing: ServerResponse): boolean => outgoing.headersSent || outgoing.writableEnded
