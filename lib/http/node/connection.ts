/**
 * One connection of a server, with the order of what happens on it: its requests are answered one after another, as they came
 * (RFC 9112, section 9.3.2: of a pipeline only safe ones may run at the same time), and what breaks behind them is answered last.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** Resolves when every answer before this one has been given. */
  readonly turn: Promise<void> | undefined
  /** Resolves when this answer has been given, or never will be. */
  readonly answered: Promise<void>
}

export class Connection {
  readonly #socket: Socket
  /** The newest of those whose answer its receiver has still to take, or whose body is still arriving. */
  #last: Exchange | undefined
  #answering: ServerResponse | undefined
  #isBroken = false
  #isStopping = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Whether its receiver has bytes to take: an answer has begun, or nothing is being worked on. */
  get waitsForReceiver(): boolean {
    return this.#answering === undefined || this.#answering.headersSent
  }

  /**
   * Waits until it is the turn of a request.
   *
   * @returns whether it is to be answered: not when the connection is gone by then.
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
      if (incoming.complete || this.#socket.destroyed) this.#settle(exchange)
      else incoming.once('end', () => this.#settle(exchange)).once('close', () => this.#settle(exchange))
    })
    await exchange.turn
    const isAnswerable = !this.#socket.destroyed && !(this.#isBroken && !incoming.complete)
    if (isAnswerable) this.#answering = outgoing
    else answered() // nobody closes an answer that never got its connection
    return isAnswerable
  }

  /**
   * Answers what is no request, behind the answers of the requests before it; then the connection ends.
   *
   * @param answer the whole response, as bytes of HTTP/1.1.
   */
  async end(answer: () => Promise<string>): Promise<void> {
    if (this.#isBroken) return
    this.#isBroken = true
    const last = this.#last
    const isInBody = last?.incoming.complete === false
    await (isInBody ? last.turn : last?.answered)
    // Bytes behind an answer that has begun would be taken for a part of it.
    if (isInBody && last.outgoing.headersSent) this.#socket.destroy()
    else if (this.#socket.writable) this.#socket.end(await answer())
    else this.#socket.destroySoon()
  }

  /** Ends at once, or when what is under way is done. */
  stop(): void {
    this.#isStopping = true
    if (!this.#last) this.#socket.destroy()
  }

  #settle(exchange: Exchange): void {
    if (this.#last !== exchange) return
    this.#last = undefined
    // What was busy when the stop began would otherwise stay open for its next request.
    if (this.#isStopping) this.#socket.destroySoon()
  }
}
