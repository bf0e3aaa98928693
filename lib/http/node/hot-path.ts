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
import { writeLine } from '../logged-body.ts'
import { elapsedSince, type OperationLog, RequestTrace, totalTiming } from '../request-context.ts'
import { commonHeaders, encodeReply } from '../respond.ts'
import { entryHeaders } from '../write-handlers.ts'
import { KeptFetch, KeptFetches } from './kept-fetch.ts'
import { isPlainFetch, type PlainStore, plainRef, plainStore } from './plain-request.ts'
import { type BodyPace, requestBody } from './request-body.ts'
import { takesWhole } from './whole-response.ts'

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
    let found: KeptFetch
    try {
      const from = performance.now()
      const entry = await ledger.find(ref)
      if (entry === undefined || entry.size > MAX_BYTES) return general()
      const read = performance.now()
      trace.spent('ledger', from)
      const content = await wholeOf(await readBytes({ blobs: bytes }, entry, undefined, undefined))
      trace.spent('blobs', read)
      found = new KeptFetch(entry, content, log)
    } catch {
      return general()
    }
    kept.add(incoming.url ?? '', found)
    found.send(outgoing, trace.serverTiming(), trace.elapsed)
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
    note(trace, entry)
    const all = { ...headers, ...commonHeaders(requestId, trace.serverTiming()) }
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
    if (method === 'GET' && takesWhole(outgoing) && isPlainFetch(incoming, hosts)) {
      const started = performance.now()
      const known = kept.get(url)
      if (known !== undefined) {
        const elapsed = elapsedSince(started)
        return known.send(outgoing, totalTiming(elapsed), elapsed)
      }
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

/** For encoders that look whether the client prefers a page. */
const PLAIN_REQUEST = { headers: { get: () => null } }

function note(trace: RequestTrace, { ref, digest, size }: Entry): void {
  trace.record.operation = 'store'
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

function storeResponse(entry: Entry, requestId: string): HttpResponse & { readonly body: string } {
  const reply = { status: 201, headers: entryHeaders(entry), content: entry }
  const response = encodeReply('store', reply, PLAIN_REQUEST, { requestId })
  if (typeof response.body !== 'string') throw new TypeError('the response to a store is JSON')
  return { ...response, body: response.body }
}
