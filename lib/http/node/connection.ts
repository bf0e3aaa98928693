/**
 * One connection of a server, and the order of its responses. Pipelined requests run one after another, in the order in which they
 * came (RFC 9112, section 9.3.2 lets only safe ones run at the same time). Unparseable input is answered last.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** Resolves when every earlier response has been sent. */
  readonly turn: Promise<void> | undefined
  /** Resolves when this response has been sent, or never will be. */
  readonly answered: Promise<void>
}

export class Connection {
  readonly #socket: Socket
  /** The newest exchange whose response is not yet received, or whose body is still arriving. */
  #last: Exchange | undefined
  #answering: ServerResponse | undefined
  #isBroken = false
  #isStopping = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Whether the receiver has bytes to read: a response has begun, or no request is running. */
  get waitsForReceiver(): boolean {
    return this.#answering === undefined || this.#answering.headersSent
  }

  /**
   * Waits for the turn of a request.
   *
   * @returns whether to respond; false if the connection has closed in the meantime.
   */
  async turn(incoming: IncomingMessage, outgoing: ServerResponse): Promise<boolean> {
    let answered = () => {}
    const exchange: Exchange = {
      incoming,
      outgoing,
      turn: this.#last?.answered,
      answered: new Promise((resolve) => {
        answered = resolve
      }),
    }
    this.#last = exchange
    outgoing.once('close', () => {
      answered()
      this.#answering = undefined
      if (incoming.complete || this.#socket.destroyed) this.#finish(exchange)
      else incoming.once('end', () => this.#finish(exchange)).once('close', () => this.#finish(exchange))
    })
    await exchange.turn
    const isAnswerable = !this.#socket.destroyed && !(this.#isBroken && !incoming.complete)
    if (isAnswerable) this.#answering = outgoing
    else answered() // a response that never got the connection has no `close` event
    return isAnswerable
  }

  /**
   * Responds to unparseable input after all earlier pipelined responses, then closes the connection.
   *
   * @param answer returns the whole response, as bytes of HTTP/1.1.
   */
  async end(answer: () => Promise<string>): Promise<void> {
    if (this.#isBroken) return
    this.#isBroken = true
    const last = this.#last
    const isInBody = last?.incoming.complete === false
    await (isInBody ? last.turn : last?.answered)
    // The receiver would read further bytes as part of a response that has begun.
    if (isInBody && last.outgoing.headersSent) this.#socket.destroy()
    else if (this.#socket.writable) this.#socket.end(await answer())
    else this.#socket.destroySoon()
  }

  /** Closes at once, or after the running request. */
  stop(): void {
    this.#isStopping = true
    if (!this.#last) this.#socket.destroy()
  }

  #finish(exchange: Exchange): void {
    if (this.#last !== exchange) return
    this.#last = undefined
    // A connection that was busy when the stop began would otherwise stay open for its next request.
    if (this.#isStopping) this.#socket.destroySoon()
  }
}
