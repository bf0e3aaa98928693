/**
 * The two requests that make up most of the traffic, as straight lines: a plain fetch of a small artifact, and a plain store of one. On
 * the general path (`../api.ts`) they take several times the processor time of a bare Node server, nearly all of it for promises and
 * objects that these requests do not need (docs/benchmarks.md). The rules, the headers and the messages are those of the general path.
 * A request that turns out to be unusual starts again there, so both paths give the same responses: the contract suite runs on each,
 * and a property test compares them.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Entry } from '../../domain/entry.ts'
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { KIB, MIB } from '../../domain/limits.ts'
import { Pieces } from '../../flow/pieces.ts'
import { WholeBytes } from '../../flow/whole-bytes.ts'
import type { HttpResponse } from '../../protocol/http-message.ts'
import { readBytes } from '../../repository/fetch.ts'
import type { BlobReader } from '../../repository/ports.ts'
import { type StoreDependencies, storeWhole } from '../../repository/store.ts'
import { artifactHeaders } from '../artifact-headers.ts'
import { writeLine } from '../logged-body.ts'
import { type OperationLog, RequestTrace } from '../request-context.ts'
import { commonHeaders, encodeReply } from '../respond.ts'
import { entryHeaders } from '../write-handlers.ts'
import { isPlainFetch, type PlainStore, plainRef, plainStore } from './plain-request.ts'
import { type BodyPace, requestBody } from './request-body.ts'

/** A request that the general path continues. */
export interface BegunRequest {
  readonly requestId: string
  /** The whole body: the part that was read, then the rest. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface HotRequest {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** The accepted values of `Host`. */
  readonly hosts: ReadonlySet<string>
  readonly bodyPace: BodyPace
  /** Answers the request on the general path. */
  readonly general: (begun?: BegunRequest) => void
}

/** Answers a request, by itself or with `general`. */
export type HotPath = (request: HotRequest) => void

export interface HotPathOptions {
  readonly stores: StoreDependencies & { readonly bytes: BlobReader }
  readonly log: OperationLog
  /** Bytes that kept responses may take. */
  readonly keptBytes?: number
}

/** The largest artifact that takes this path, in bytes: the local server keeps such blobs in its ledger. */
const MAX_BYTES = 16 * KIB

export function createHotPath({ stores, log, keptBytes = 16 * MIB }: HotPathOptions): HotPath {
  const { ledger, bytes } = stores
  const kept = new KeptFetches(keptBytes)

  async function fetch({ outgoing, incoming, general }: HotRequest, ref: ArtifactRef): Promise<void> {
    const trace = new RequestTrace()
    let found: Fetched
    try {
      const from = performance.now()
      const entry = await ledger.find(ref)
      if (entry === undefined || entry.size > MAX_BYTES) return general()
      const read = performance.now()
      trace.spent('ledger', from)
      const content = await wholeOf(await readBytes({ blobs: bytes }, entry, undefined, undefined))
      trace.spent('blobs', read)
      found = { entry, headers: headersOf(entry), content }
    } catch {
      return general()
    }
    kept.add(incoming.url ?? '', found)
    sendFetched(outgoing, found, trace)
  }

  function sendFetched(outgoing: ServerResponse, { entry, headers, content }: Fetched, trace: RequestTrace) {
    const requestId = randomUUID()
    if (!outgoing.destroyed) {
      outgoing.writeHead(200, [...headers, ...Object.entries(commonHeaders(requestId, trace)).flat()])
      outgoing.end(content)
    }
    note(trace, 'fetch', entry)
    trace.record.bytesSent = outgoing.destroyed ? 0 : entry.size
    if (outgoing.destroyed && entry.size > 0) trace.record.aborted = true
    writeLine(log, { requestId, method: 'GET' }, 200, trace)
  }

  async function store(
    { incoming, outgoing, bodyPace, general }: HotRequest,
    ref: ArtifactRef,
    { digest, description }: PlainStore,
  ): Promise<void> {
    const trace = new RequestTrace()
    const requestId = randomUUID()
    const arrived = new Pieces()
    const body = requestBody(incoming, bodyPace)
    /** The general path reads what arrived, and then what `body` has: the rest, or why there is none. */
    const continueGeneral = () => general({ requestId, body: joined(arrived.whole(), body) })
    let entry: Entry | undefined
    try {
      const from = performance.now()
      if ((await ledger.find(ref)) !== undefined) return general()
      trace.spent('ledger', from)
      const read = performance.now()
      for await (const chunk of body) arrived.add(chunk)
      trace.spent('blobs', read)
      const append = performance.now()
      entry = await storeWhole(stores, { ref, digest, description, commitId: requestId }, arrived.whole())
      trace.spent('ledger', append)
    } catch {
      return continueGeneral()
    }
    if (entry === undefined) return continueGeneral()
    const { status, headers, body: message } = storeResponse(entry, requestId)
    note(trace, 'store', entry)
    const all = { ...headers, ...commonHeaders(requestId, trace) }
    if (!outgoing.destroyed) {
      outgoing.writeHead(status, { ...all, 'Content-Length': String(Buffer.byteLength(message)) })
      outgoing.end(message)
    }
    writeLine(log, { requestId, method: 'PUT' }, status, trace)
  }

  const maxBytes = () => Math.min(MAX_BYTES, stores.maxArtifactBytes, stores.maxInlineBytes)
  return (request) => {
    const { incoming, outgoing, hosts, general } = request
    const { method, url = '' } = incoming
    if (method === 'GET' && isPlainFetch(incoming, hosts)) {
      const known = kept.get(url)
      if (known !== undefined) return sendFetched(outgoing, known, new RequestTrace())
      const ref = plainRef(url)
      if (ref !== undefined) return void fetch(request, ref)
    } else if (method === 'PUT') {
      const ref = plainRef(url)
      const declared = ref && plainStore(incoming, hosts, maxBytes())
      if (ref && declared) return void store(request, ref, declared)
    }
    general()
  }
}

/** Everything of the response to a fetch that is the same each time. */
interface Fetched {
  readonly entry: Entry
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly content: Uint8Array
}

/** The approximate memory of a kept response besides its content, in bytes. */
const KEPT_OVERHEAD = 2 * KIB

/** The responses that were sent last. A stored artifact never changes, so a kept response stays right. */
class KeptFetches {
  readonly #limit: number
  readonly #responses = new Map<string, Fetched>()
  #bytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get(target: string): Fetched | undefined {
    return this.#responses.get(target)
  }

  add(target: string, response: Fetched): void {
    const known = this.#responses.get(target)
    if (known !== undefined) return
    // A slice would keep the memory of the whole that it is from.
    const content = new Uint8Array(response.content)
    this.#responses.set(target, { ...response, content })
    this.#bytes += content.byteLength + KEPT_OVERHEAD
    for (const [oldest, { content }] of this.#responses) {
      if (this.#bytes <= this.#limit) return
      this.#responses.delete(oldest)
      this.#bytes -= content.byteLength + KEPT_OVERHEAD
    }
  }
}

/** For encoders that look whether the client prefers a page. */
const PLAIN_REQUEST = { headers: { get: () => null } }

function note(trace: RequestTrace, operation: 'fetch' | 'store', { ref, digest, size }: Entry): void {
  trace.record.operation = operation
  trace.about(ref)
  trace.record.digest = digest
  trace.record.size = size
}

async function wholeOf(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (content instanceof WholeBytes) return content.bytes
  const pieces = new Pieces()
  for await (const chunk of content) pieces.add(chunk)
  return pieces.whole()
}

async function* joined(first: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  if (first.byteLength > 0) yield first
  yield* rest
}

/** As the general path encodes the reply of its handler. */
function headersOf(entry: Entry): readonly string[] {
  const headers = { ...artifactHeaders(entry), 'Content-Length': String(entry.size) }
  const reply = { status: 200, headers, content: undefined }
  return Object.entries(encodeReply('fetch', reply, PLAIN_REQUEST, { requestId: '' }).headers).flat()
}

function storeResponse(entry: Entry, requestId: string): HttpResponse & { readonly body: string } {
  const reply = { status: 201, headers: entryHeaders(entry), content: entry }
  const response = encodeReply('store', reply, PLAIN_REQUEST, { requestId })
  if (typeof response.body !== 'string') throw new TypeError('the response to a store is JSON')
  return { ...response, body: response.body }
}
