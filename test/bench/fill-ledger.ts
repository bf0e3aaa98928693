/** Fills the ledger of a new data folder through its own code, in large groups: a million entries in well under a minute. */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digestFromHex } from '../../lib/domain/digest.ts'
import type { BlobId } from '../../lib/domain/entry.ts'
import { parseRef } from '../../lib/domain/refs.ts'
import { blobFolder, blobName } from '../../lib/local/blob-names.ts'
import { initializeFolder, LAYOUT } from '../../lib/local/folder-format.ts'
import { createLog, openLedger } from '../../lib/local/ledger/open-ledger.ts'
import { SMALL_BLOB_BYTES } from '../../lib/local/ledger/record.ts'
import { described } from '../support/described.ts'

const AT_ONCE = 2_000

export interface Filling {
  readonly entries: number
  /** `bucket/artifact/version` of each entry. */
  readonly nameOf: (index: number) => string
  /** The bytes of every entry, kept in its record or in a file; an entry without them has its blob in a file, which is not made. */
  readonly bytes: Uint8Array | undefined
}

/** @returns the seconds that it took. */
export async function fillLedger(dataDir: string, { entries, nameOf, bytes }: Filling): Promise<number> {
  mkdirSync(dataDir)
  const storeId = await initializeFolder(dataDir, createLog)
  mkdirSync(join(dataDir, LAYOUT.blobs))
  const { ledger, held, close } = await openLedger({ dataDir, storeId })
  const digest = digestFromHex(
    createHash('sha256')
      .update(bytes ?? '')
      .digest('hex'),
  )
  const from = performance.now()
  for (let first = 0; first < entries; first += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, entries - first) }, (_, at) => {
        const entry = {
          ref: parseRef(nameOf(first + at)),
          digest,
          size: bytes?.byteLength ?? 0,
          ...described(),
          createdAt: new Date().toISOString(),
        }
        if (bytes && bytes.byteLength <= SMALL_BLOB_BYTES) held.hold(entry, bytes)
        else if (bytes) writeBlob(dataDir, entry, bytes)
        return ledger.append(entry, `00000000-0000-0000-0000-${String(first + at).padStart(12, '0')}`)
      }),
    )
  await close()
  return (performance.now() - from) / 1000
}

/** Without a sync. */
function writeBlob(dataDir: string, blob: BlobId, bytes: Uint8Array): void {
  const folder = blobFolder(join(dataDir, LAYOUT.blobs), blob)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, blobName(blob)), bytes)
}
