/** The actors of the simulation: tiny artifacts, and the programs of the clients that store, upload and abort. */

import { digestHex } from '../../lib/domain/digest.ts'
import type { BlobId } from '../../lib/domain/entry.ts'
import { isBucketError } from '../../lib/domain/errors.ts'
import type { UploadMode } from '../../lib/domain/limits.ts'
import { findEntry, readBytes } from '../../lib/repository/fetch.ts'
import { presignParts } from '../../lib/repository/presign-parts.ts'
import { store } from '../../lib/repository/store.ts'
import { abortUpload } from '../../lib/repository/upload-abort.ts'
import { beginUpload } from '../../lib/repository/upload-begin.ts'
import { commitUpload } from '../../lib/repository/upload-commit.ts'
import { described } from '../support/described.ts'
import { blobOf, collect, digestOf } from '../support/fake-artifacts.ts'
import type { RuleDependencies } from '../support/rule-dependencies.ts'
import type { Actor, Client, Stores } from './upload-world.ts'

export interface Artifact {
  readonly id: BlobId
  readonly bytes: Uint8Array
}

const artifact = (text: string): Artifact => {
  const bytes = new TextEncoder().encode(text)
  return { id: blobOf('models/llama/v1', bytes), bytes }
}

/** Two artifacts that compete for the same name. */
export const RIGHT = artifact('right')
export const OTHER = artifact('other bytes')
/** As long as `RIGHT`, so a store that compares only lengths confuses the two. */
export const WRONG_BYTES = new TextEncoder().encode('wrong')

const description = described()
const begin = ({ id, bytes }: Artifact, mode: UploadMode) => ({
  id,
  size: bytes.byteLength,
  mode,
  description,
})

/** Rounds of begin, send and commit before an uploader stops: more than its rivals can disturb. */
const TURNS = 12

/**
 * A client program: it begins or finds the upload, sends the missing parts, commits, and restarts if necessary. | @param bytes the bytes
 * that it sends, if they differ from the artifact.
 */
export const uploads = (name: string, what: Artifact, mode: UploadMode, bytes = what.bytes): Actor => ({
  name,
  async script(client) {
    for (let turn = 0; turn < TURNS; turn++) {
      const end = await oneTurn(client, what, mode, bytes)
      if (end === undefined) continue
      client.note(end)
      return
    }
    throw new Error(`${name} does not get to an end in ${TURNS} turns`)
  },
})

async function oneTurn(client: Client, what: Artifact, mode: UploadMode, bytes: Uint8Array) {
  try {
    const { upload } = await client.again(() => beginUpload(client.deps, begin(what, mode)))
    if (upload.state === 'open') await sendBytes(client, what, upload.mode, bytes)
    const result = await client.again(() =>
      commitUpload(client.deps, { id: what.id, commitId: client.commitId }),
    )
    return result.outcome
  } catch (error) {
    if (isBucketError(error, 'upload_not_found') || isBucketError(error, 'upload_incomplete'))
      return undefined
    if (isBucketError(error, 'version_exists')) return `exists with ${error.details.conflict} bytes`
    if (isBucketError(error, 'digest_mismatch')) return 'digest_mismatch'
    throw error
  }
}

async function sendBytes(client: Client, what: Artifact, mode: UploadMode, bytes: Uint8Array) {
  const { deps, stores } = client
  if (mode === 'single') {
    const request = await deps.blobs.presignPut(what.id, what.bytes.byteLength, description, 3600)
    await client.outside('send the bytes', () => stores.blobs.send(request, { body: bytes }))
    return
  }
  const part = { number: 1, sha256: digestHex(what.id.digest) }
  try {
    const parts = await client.again(() => presignParts(deps, what.id, [part]))
    const [first] = parts
    if (!first) throw new Error('a part has no request')
    await client.outside('send the part', () => stores.staging.send(first.request, bytes))
  } catch (error) {
    // Another client has sent and committed it.
    if (!isBucketError(error, 'upload_conflict')) throw error
  }
}

/** Commits an existing upload, until there is a response. */
export const commits = (name: string, what: Artifact): Actor => ({
  name,
  async script(client) {
    const result = await client.again(() =>
      commitUpload(client.deps, { id: what.id, commitId: client.commitId }),
    )
    client.note(result.outcome)
  },
})

export const givesUp = (name: string, what: Artifact): Actor => ({
  name,
  async script(client) {
    await client.again(() => abortUpload(client.deps, what.id))
    client.note('aborted')
  },
})

/** Aborts the existing upload, if allowed, and uploads from the start. */
export const startsOver = (name: string, what: Artifact, mode: UploadMode): Actor => ({
  name,
  async script(client) {
    try {
      await client.again(() => abortUpload(client.deps, what.id))
      client.note('aborted')
    } catch (error) {
      if (!isBucketError(error, 'upload_conflict') && !isBucketError(error, 'upload_not_found')) throw error
    }
    await uploads(name, what, mode).script(client)
  },
})

/**
 * Sends part 1 again, with other bytes, by a request of its own. The store accepts them, because the request was signed for
 * them.
 */
export const replacesPart = (name: string, what: Artifact, bytes: Uint8Array): Actor => ({
  name,
  async script(client) {
    const part = { number: 1, sha256: digestHex(digestOf(bytes)) }
    const parts = await client.again(() => presignParts(client.deps, what.id, [part]))
    for (const { request } of parts)
      await client.outside('send the part', () => client.stores.staging.send(request, bytes))
  },
})

/** One store in one request, repeated after a crash or a failure. */
export const stores = (name: string, what: Artifact): Actor => ({
  name,
  async script(client) {
    try {
      const { outcome } = await client.again(() =>
        store(client.deps, {
          ref: what.id.ref,
          digest: what.id.digest,
          description,
          size: what.bytes.byteLength,
          onlyIfAbsent: false,
          body: () => once(what.bytes),
          commitId: client.commitId,
        }),
      )
      client.note(outcome)
    } catch (error) {
      if (!isBucketError(error, 'version_exists')) throw error
      client.note(`exists with ${error.details.conflict} bytes`)
    }
  },
})

async function* once(bytes: Uint8Array) {
  yield bytes
}

/** An open upload that has received all bytes. */
export const arrived =
  (what: Artifact, mode: UploadMode, bytes = what.bytes) =>
  async (held: Stores, deps: RuleDependencies): Promise<void> => {
    await beginUpload(deps, begin(what, mode))
    if (mode === 'single') {
      const request = await deps.blobs.presignPut(what.id, what.bytes.byteLength, description, 3600)
      await held.blobs.send(request, { body: bytes })
      return
    }
    const part = { number: 1, sha256: digestHex(what.id.digest) }
    const parts = await presignParts(deps, what.id, [part])
    for (const { request } of parts) await held.staging.send(request, bytes)
  }

/** The same after its commit, with its message in the queue. */
export const committing =
  (what: Artifact, mode: UploadMode, bytes = what.bytes) =>
  async (held: Stores, deps: RuleDependencies): Promise<void> => {
    await arrived(what, mode, bytes)(held, deps)
    await commitUpload(deps, { id: what.id, commitId: 'before' })
  }

/** A stored version that has lost its blob. */
export const lost =
  (what: Artifact) =>
  async (held: Stores, deps: RuleDependencies): Promise<void> => {
    await store(deps, {
      ref: what.id.ref,
      digest: what.id.digest,
      description,
      size: what.bytes.byteLength,
      onlyIfAbsent: false,
      body: () => once(what.bytes),
      commitId: 'before',
    })
    held.blobs.lose(what.id)
  }

/** Fetches the bytes once, and notes what a reader gets. */
export const fetches = (name: string, what: Artifact): Actor => ({
  name,
  async script(client) {
    const entry = await client.again(() => findEntry(client.deps, what.id.ref, undefined))
    try {
      const bytes = await client.again(() => readBytes(client.deps, entry, undefined, undefined))
      client.note(digestOf(await collect(bytes)) === entry.digest ? 'the bytes' : 'other bytes')
    } catch (error) {
      if (!isBucketError(error, 'blob_lost')) throw error
      client.note(error.code)
    }
  },
})
