/**
 * The responses to plain fetches that were sent last, as text: a stored artifact never changes, so a kept response stays right. Only
 * the request id, the timing and the date are new each time. Bytes are characters of latin1, because Node writes one short text
 * faster than buffers.
 */
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Entry } from '../../domain/entry.ts'
import { KIB } from '../../domain/limits.ts'
import { artifactHeaders } from '../artifact-headers.ts'
import { repeatedLine } from '../logged-body.ts'
import type { OperationLog, OperationRecord, RepeatedLine } from '../request-context.ts'
import { commonHeaders, encodeReply } from '../respond.ts'
import { aroundSlots, SLOT } from '../slots.ts'
import { httpDateNow, timestampNow } from '../time-texts.ts'
import { encodeHead, sendWhole } from './whole-response.ts'

/** The approximate memory of a kept response besides its content, in bytes. */
const KEPT_OVERHEAD = 2 * KIB

/** A response to a plain fetch that can be sent any number of times. */
export class KeptFetch {
  /** Bytes of memory, approximately. */
  readonly memory: number
  readonly #toRequestId: string
  readonly #toTiming: string
  readonly #toDate: string
  /** The end of the head, and the content. */
  readonly #end: string
  readonly #sent: RepeatedLine
  readonly #unsent: RepeatedLine

  /** @throws TypeError if Node would not send the headers. */
  constructor(entry: Entry, content: Uint8Array, log: OperationLog) {
    const { ref, digest, size } = entry
    const head = encodeHead(200, { ...headersOf(entry), ...commonHeaders(SLOT, SLOT) }, SLOT)
    const [toRequestId, toTiming, toDate, end] = aroundSlots(head, [SLOT, SLOT, SLOT])
    this.#toRequestId = flat(toRequestId)
    this.#toTiming = flat(toTiming)
    this.#toDate = flat(toDate)
    this.#end = flat(
      end + Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1'),
    )
    this.memory = content.byteLength + KEPT_OVERHEAD
    const { bucketId, artifactId, version } = ref
    const record: Partial<OperationRecord> = {
      operation: 'fetch',
      bucketId,
      artifactId,
      version,
      digest,
      size,
    }
    this.#sent = repeatedLine(log, 'GET', 200, { ...record, bytesSent: size })
    this.#unsent = repeatedLine(log, 'GET', 200, {
      ...record,
      bytesSent: 0,
      ...(size > 0 && { aborted: true as const }),
    })
  }

  /**
   * Sends the response, and writes the line of the request to the log.
   *
   * @param elapsed milliseconds since the request came, in hundredths.
   */
  send(outgoing: ServerResponse, timing: string, elapsed: number): void {
    const requestId = randomUUID()
    if (outgoing.destroyed) {
      this.#unsent(timestampNow(), requestId, elapsed)
      return
    }
    sendWhole(
      outgoing,
      this.#toRequestId + requestId + this.#toTiming + timing + this.#toDate + httpDateNow() + this.#end,
    )
    this.#sent(timestampNow(), requestId, elapsed)
  }
}

/** A copy in memory of its own: a part of another text would keep that one. */
const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

/** For encoders that look whether the client prefers a page. */
const PLAIN_REQUEST = { headers: { get: () => null } }

/** As the general path encodes the reply of its handler. */
function headersOf(entry: Entry): Record<string, string> {
  const headers = { ...artifactHeaders(entry), 'Content-Length': String(entry.size) }
  const reply = { status: 200, headers, content: undefined }
  return encodeReply('fetch', reply, PLAIN_REQUEST, { requestId: '' }).headers
}

/** The kept responses by their targets, up to a limit of memory. */
export class KeptFetches {
  readonly #limit: number
  readonly #responses = new Map<string, KeptFetch>()
  #bytes = 0

  /** @param limit in bytes. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get(target: string): KeptFetch | undefined {
    return this.#responses.get(target)
  }

  add(target: string, response: KeptFetch): void {
    if (this.#responses.has(target)) return
    this.#responses.set(target, response)
    this.#bytes += response.memory
    for (const [oldest, { memory }] of this.#responses) {
      if (this.#bytes <= this.#limit) return
      this.#responses.delete(oldest)
      this.#bytes -= memory
    }
  }
}
