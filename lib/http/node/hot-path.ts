/**
 * The two requests that make up most of the traffic, as straight lines: a plain fetch of a small artifact, and a plain store of one. On
 * the general path (`../api.ts`) they take several times the processor time of a bare Node server, nearly all of it for promises and
 * objects that these requests do not need (docs/benchmarks.md). The rules, the headers and the messages are those of the general path.
 * A request that turns out to be unusual starts again there, so both paths give the same responses: the contract suite runs on each,
 * and a property test compares them.
 */
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { KIB, MIB } from '../../domain/limits.ts'
import { Pieces } from '../../flow/pieces.ts'
import { WholeBytes } from '../../flow/whole-bytes.ts'
import { readBytes } from '../../repository/fetch.ts'
import type { BlobReader, Clock, LedgerReader, WholeWriter } from '../../repository/ports.ts'
import { elapsedSince, type OperationLog, RequestTrace, totalTiming } from '../request-context.ts'
import type { HotRequest } from './hot-request.ts'
import { hotStore } from './hot-store.ts'
import { KeptFetch, KeptFetches } from './kept-fetch.ts'
import { isPlainFetch, plainRef, plainStore } from './plain-request.ts'
import { takesWhole } from './whole-response.ts'

/** Answers a request, by itself or with `general`. */
export type HotPath = (request: HotRequest) => void

export interface HotStores {
  readonly ledger: LedgerReader & WholeWriter
  readonly bytes: BlobReader
  readonly clock: Clock
  readonly maxArtifactBytes: number
  /** The largest body of one request, in bytes. */
  readonly maxInlineBytes: number
}

export interface HotPathOptions {
  readonly stores: HotStores
  readonly log: OperationLog
  /** Bytes that kept responses may take. */
  readonly keptBytes?: number
}

/** The largest artifact that takes this path, in bytes: the local server keeps such blobs in its ledger. */
const MAX_BYTES = 16 * KIB

export function createHotPath({ stores, log, keptBytes = 16 * MIB }: HotPathOptions): HotPath {
  const { ledger, bytes } = stores
  const kept = new KeptFetches(keptBytes)
  const store = hotStore(stores, log)

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
    } else if (method === 'PUT' && takesWhole(outgoing)) {
      const ref = plainRef(url)
      const declared = ref && plainStore(incoming, hosts, maxBytes())
      if (ref && declared) return store(request, ref, declared)
    }
    general()
  }
}

async function wholeOf(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (content instanceof WholeBytes) return content.bytes
  const pieces = new Pieces()
  for await (const chunk of content) pieces.add(chunk)
  return pieces.whole()
}
