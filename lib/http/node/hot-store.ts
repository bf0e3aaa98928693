/**
 * The store of the hot path (hot-path.ts): a plain store of a small artifact, whose bytes usually come in one packet with its headers.
 * It waits for nothing but the disk.
 */
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Entry } from '../../domain/entry.ts'
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { Pieces } from '../../flow/pieces.ts'
import { WholeBytes } from '../../flow/whole-bytes.ts'
import type { Clock, LedgerReader, WholeWriter } from '../../repository/ports.ts'
import { storeWhole } from '../../repository/store.ts'
import { writeLine } from '../logged-body.ts'
import { type OperationLog, RequestTrace } from '../request-context.ts'
import type { HotRequest } from './hot-request.ts'
import type { PlainStore } from './plain-request.ts'
import { arrivedBody, endBody, requestBody } from './request-body.ts'
import { storedResponse } from './stored-response.ts'
import { sendWhole } from './whole-response.ts'

interface BegunStore {
  readonly request: HotRequest
  readonly ref: ArtifactRef
  readonly declared: PlainStore
  readonly requestId: string
  readonly trace: RequestTrace
}

/** @returns a function that answers a store, by itself or on the general path. Its response has to be one for `takesWhole`. */
export function hotStore(
  stores: { readonly ledger: LedgerReader & WholeWriter; readonly clock: Clock },
  log: OperationLog,
): (request: HotRequest, ref: ArtifactRef, declared: PlainStore) => void {
  /** Headers and body usually come in one packet. The parser passes on the body after this call. */
  function store(request: HotRequest, ref: ArtifactRef, declared: PlainStore): void {
    const begun = { request, ref, declared, requestId: randomUUID(), trace: new RequestTrace() }
    process.nextTick(() => {
      const bytes = arrivedBody(request.incoming, declared.size)
      if (bytes === undefined) void storeArriving(begun)
      else commit(begun, bytes)
    })
  }

  /** Stores a body that is still on its way. */
  async function storeArriving(begun: BegunStore): Promise<void> {
    const { request, ref, requestId, trace } = begun
    const body = requestBody(request.incoming, request.bodyPace)
    const arrived = new Pieces()
    try {
      if ((await stores.ledger.find(ref)) !== undefined) return request.general()
      const from = performance.now()
      for await (const chunk of body) arrived.add(chunk)
      trace.spent('blobs', from)
    } catch {
      // The general path reads the bytes that arrived, and then the error that ended the body.
      return request.general({ requestId, body: joined(arrived.whole(), body) })
    }
    commit(begun, arrived.whole())
  }

  function commit(begun: BegunStore, bytes: Uint8Array): void {
    const { request, ref, declared, requestId, trace } = begun
    const { digest, description } = declared
    // Later, because the parser may not have come to the end of the request yet.
    const continueGeneral = () =>
      setImmediate(() => {
        endBody(request.incoming)
        request.general({ requestId, body: new WholeBytes(bytes) })
      })
    const from = performance.now()
    storeWhole(stores, { ref, digest, description, commitId: requestId }, bytes).then((entry) => {
      trace.spent('ledger', from)
      if (entry === undefined) return void continueGeneral()
      endBody(request.incoming)
      sendStored(request.outgoing, entry, requestId, trace)
    }, continueGeneral)
  }

  function sendStored(outgoing: ServerResponse, entry: Entry, requestId: string, trace: RequestTrace): void {
    if (!outgoing.destroyed) sendWhole(outgoing, storedResponse(entry, requestId, trace.serverTiming()))
    note(trace, entry)
    writeLine(log, { requestId, method: 'PUT' }, 201, trace)
  }

  return store
}

function note(trace: RequestTrace, { ref, digest, size }: Entry): void {
  trace.record.operation = 'store'
  trace.about(ref)
  trace.record.digest = digest
  trace.record.size = size
}

async function* joined(first: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  if (first.byteLength > 0) yield first
  yield* rest
}
