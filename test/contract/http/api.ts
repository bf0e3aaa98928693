/**
 * The HTTP contract suite: docs/http-api.md read sentence by sentence, run on every front. It uses a front only through its `Target`. A
 * promise that a front cannot show is a counted skip with its reason.
 */
import { describe } from 'vitest'
import { describeDownload } from './download.ts'
import { describeEveryResponse } from './every-response.ts'
import { describeFetch } from './fetch.ts'
import { describeFetchDirect } from './fetch-direct.ts'
import { describeFetchRedirect } from './fetch-redirect.ts'
import { describeIdentifiers } from './identifiers.ts'
import { describeList } from './list.ts'
import { describeLostBlobs } from './lost-blobs.ts'
import { describeNodeExpect } from './node-expect.ts'
import { describeNodeHosts } from './node-hosts.ts'
import { describeNodePipelines } from './node-pipelines.ts'
import { describeNodeSenders } from './node-senders.ts'
import { describeQueries } from './queries.ts'
import { describeRaces } from './races.ts'
import { describeResources } from './resources.ts'
import { describeService } from './service.ts'
import { describeStore } from './store.ts'
import { describeStoreDescription } from './store-description.ts'
import { describeStoreDigest } from './store-digest.ts'
import { describeStoreRefusals } from './store-refusals.ts'
import type { FetchMode, TargetThunk } from './target.ts'

/**
 * Registers the suite for sections 1 to 6, 8 and 9 of the contract.
 *
 * @param target is called only inside of hooks and tests, because the front may start in a `beforeAll` of the caller.
 */
export function describeHttpApi(name: string, delivery: FetchMode, target: TargetThunk): void {
  describe(`HTTP API: ${name}`, () => {
    describeEveryResponse(target)
    describeIdentifiers(target)
    describeResources(target)
    describeQueries(target)
    describeService(target)
    describeStore(target)
    describeStoreDigest(target)
    describeStoreDescription(target)
    describeStoreRefusals(target)
    describeFetch(target)
    if (delivery === 'direct') describeFetchDirect(target)
    else describeFetchRedirect(target)
    describeDownload(target)
    describeList(target)
    describeRaces(target)
    describeLostBlobs(delivery, target)
  })
}

/** Registers the promises that only a socket of the Node server can show. Its target has `stallMs`. */
export function describeNodeServer(name: string, target: TargetThunk): void {
  describe(`Node server: ${name}`, () => {
    describeNodeExpect(target)
    describeNodeHosts(target)
    describeNodeSenders(target)
    describeNodePipelines(target)
  })
}
