/** The rules over stores in memory, with a clock that is set by hand. */

import { digestHex } from '../../../lib/domain/digest.ts'
import type { BlobId, Entry } from '../../../lib/domain/entry.ts'
import { BucketError } from '../../../lib/domain/errors.ts'
import { MIB, type UploadMode } from '../../../lib/domain/limits.ts'
import { presignParts } from '../../../lib/repository/presign-parts.ts'
import { beginUpload } from '../../../lib/repository/upload-begin.ts'
import { described } from '../../support/described.ts'
import { blobOf, digestOf, entryOf } from '../../support/fake-artifacts.ts'
import { fakeBlobStore } from '../../support/fake-blob-store.ts'
import { fakeLedger } from '../../support/fake-ledger.ts'
import { fakeQueue } from '../../support/fake-queue.ts'
import { fakeStaging } from '../../support/fake-staging.ts'
import { fakeUploads } from '../../support/fake-uploads.ts'
import type { RuleDependencies } from '../../support/rule-dependencies.ts'

export const NOW = Date.parse('2026-11-23T04:00:00.000Z')
export const BYTES = new TextEncoder().encode('the bytes')
export const ID: BlobId = blobOf('models/llama/v1', BYTES)
export const OTHER_ID: BlobId = blobOf('models/llama/v1', new TextEncoder().encode('other bytes'))
export const DESCRIPTION = described()

export type Given = ReturnType<typeof given>

let requests = 0
export const newCommitId = (): string => `request-${++requests}`

export function given() {
  const time = { now: NOW }
  const clock = () => time.now
  const blobs = fakeBlobStore({ clock })
  const staging = fakeStaging({ blobs, clock })
  return {
    time,
    clock,
    blobs,
    staging,
    ledger: fakeLedger(),
    uploads: fakeUploads(),
    queue: fakeQueue(),
    maxArtifactBytes: 64 * MIB,
    maxInlineBytes: 4 * MIB,
    presignedSeconds: 3600,
  }
}

export const beginOf = (mode: UploadMode, id = ID, size = BYTES.byteLength) => ({
  id,
  size,
  mode,
  description: DESCRIPTION,
})

/** Another request has stored these bytes. */
export async function storedElsewhere(stores: Given, bytes: Uint8Array = BYTES): Promise<Entry> {
  const entry = entryOf('models/llama/v1', bytes)
  stores.blobs.plant(entry, bytes)
  await stores.ledger.append(entry, 'another')
  return entry
}

/** Begins the upload, and sends the bytes as its client would. */
export async function arrived(stores: Given, mode: UploadMode, id = ID, bytes = BYTES): Promise<void> {
  const { upload } = await beginUpload(stores, beginOf(mode, id, bytes.byteLength))
  if (upload.state === 'open' && upload.mode === 'single' && upload.request) {
    await stores.blobs.send(upload.request, { body: bytes })
    return
  }
  await sendPart(stores, id, bytes)
}

export async function sendPart(stores: Given, id: BlobId, bytes: Uint8Array): Promise<void> {
  const part = { number: 1, sha256: digestHex(digestOf(bytes)) }
  const parts = await presignParts(stores, id, [part])
  for (const { request } of parts) await stores.staging.send(request, bytes)
}

/** The row of an upload that must be there. */
export async function rowOf(deps: Pick<RuleDependencies, 'uploads'>, id = ID) {
  const row = await deps.uploads.find(id)
  if (!row) throw new Error('there is no row')
  return row
}

/** The refusal that a rule answers with. */
export async function refusal(rule: Promise<unknown>): Promise<BucketError> {
  try {
    await rule
  } catch (error) {
    if (error instanceof BucketError) return error
    throw error
  }
  throw new Error('was not refused')
}
