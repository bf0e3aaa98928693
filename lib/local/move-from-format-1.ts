/**
 * Moves a data folder of format 1, whose ledger was an LMDB file with the small blobs in it, to format 2. Until the folder is marked as
 * format 2, the old ledger is authoritative, and an interrupted migration begins again. The old file is kept under another name.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open } from 'lmdb'
import { parseDigest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { formatRef } from '../domain/identifiers.ts'
import { MIB } from '../domain/limits.ts'
import { parseRef } from '../domain/refs.ts'
import { decodeDescription } from '../protocol/description.ts'
import type { BlobFiles } from './blob-files.ts'
import { removeTemporary, syncFolder } from './disk.ts'
import { FolderDamaged, LAYOUT, writeFormat } from './folder-format.ts'
import { openAppendLog } from './ledger/append-log.ts'
import { createLog } from './ledger/open-ledger.ts'
import { findEnd, hashSegment, listLog, readLog } from './ledger/read-log.ts'
import { encodeRecord, isBlobIntact } from './ledger/record.ts'
import { LOG_BEGIN } from './ledger/segment.ts'
import { checkLmdbFile } from './lmdb-check.ts'
import { writeTemporary } from './temporary.ts'

/** Names in a folder of format 1. */
const FORMAT_1_LAYOUT = {
  ledger: 'ledger.mdb',
  ledgerLock: 'ledger.mdb-lock',
  /** The name of the old ledger after the migration. */
  kept: 'ledger.format-1.mdb',
} as const

const UNFINISHED_LEDGER = `${LAYOUT.ledger}.new`

/** A row of format 1, in JSON. */
interface Row {
  readonly commit_id: string
  readonly entry: {
    readonly bucket_id: string
    readonly artifact_id: string
    readonly version: string
    readonly digest: string
    readonly size: number
    readonly content_type: string
    readonly uploaded_by?: string | null
    readonly provenance_source?: string | null
    readonly created_at: string
  }
}

/** The result of a migration. */
export interface MoveReport {
  readonly entries: number
  readonly seconds: number
}

/** How many rows are read at once, and how many bytes are appended at once. */
const PAGE = 1_000
const GROUP_BYTES = 4 * MIB

/**
 * Moves a folder of format 1 that this process has locked. Safe to repeat after a crash at any point.
 *
 * @param files where small blobs without an entry go.
 * @param newTemporary names a file in the folder of temporaries.
 * @throws FolderDamaged when the old ledger is missing or damaged; the folder is left as it was then.
 */
export async function moveFromFormat1(
  dataDir: string,
  files: BlobFiles,
  newTemporary: () => string,
): Promise<MoveReport & { readonly storeId: string }> {
  const began = performance.now()
  const old = join(dataDir, FORMAT_1_LAYOUT.ledger)
  checkLmdbFile(old, 'Restore it from a backup: starting without it would forget stored artifacts.')
  const storeId = randomUUID()
  const unfinished = join(dataDir, UNFINISHED_LEDGER)
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  await createLog(unfinished, storeId)

  const environment = open({ path: old, readOnly: true })
  const binary = { keyEncoding: 'binary' } as const
  const rows = environment.openDB<Row, Buffer>({ name: 'entries', encoding: 'json', ...binary })
  const blobs = environment.openDB<Buffer, Buffer>({ name: 'blobs', encoding: 'binary', ...binary })
  try {
    const entries = await copyRows(rows, blobs, unfinished, storeId)
    await keepBlobsWithoutEntry(rows, blobs, files, newTemporary)
    await expectEntries(unfinished, storeId, entries)
    // Under format 1, a ledger with the final name is left from an interrupted migration. The old one is still authoritative.
    rmSync(join(dataDir, LAYOUT.ledger), { recursive: true, force: true })
    renameSync(unfinished, join(dataDir, LAYOUT.ledger))
    await writeFormat(dataDir, storeId)
    return { storeId, entries, seconds: (performance.now() - began) / 1000 }
  } finally {
    await environment.close()
  }
}

/** Renames the old ledger, once the folder has format 2. */
export async function keepOldLedger(dataDir: string): Promise<void> {
  if (!existsSync(join(dataDir, FORMAT_1_LAYOUT.ledger))) return
  rmSync(join(dataDir, FORMAT_1_LAYOUT.ledgerLock), { force: true })
  renameSync(join(dataDir, FORMAT_1_LAYOUT.ledger), join(dataDir, FORMAT_1_LAYOUT.kept))
  await syncFolder(dataDir)
}

async function copyRows(
  rows: Database<Row, Buffer>,
  blobs: Database<Buffer, Buffer>,
  folder: string,
  storeId: string,
): Promise<number> {
  const [segment] = listLog(folder, storeId)
  if (!segment) throw new Error('a new log has a segment')
  const hash = await hashSegment(segment, LOG_BEGIN.offset)
  const tail = { ...LOG_BEGIN, nextGroup: 1, hash }
  const log = await openAppendLog({ folder, storeId, tail, reservedBytes: 0 })
  try {
    let entries = 0
    let group: Buffer[] = []
    let bytes = 0
    for await (const { key, value } of pages(rows)) {
      const entry = entryOf(key, value)
      const blob = blobs.getBinary(Buffer.from(`${formatRef(entry.ref)}/${entry.digest.slice(7)}`, 'latin1'))
      const record = encodeRecord({ entry, commitId: value.commit_id, bytes: blob })
      group.push(record)
      bytes += record.length
      entries += 1
      if (bytes < GROUP_BYTES) continue
      await log.append(group)
      group = []
      bytes = 0
    }
    if (group.length > 0) await log.append(group)
    return entries
  } finally {
    log.close()
  }
}

/** An upload that waits for its commit may have such a blob. */
async function keepBlobsWithoutEntry(
  rows: Database<Row, Buffer>,
  blobs: Database<Buffer, Buffer>,
  files: BlobFiles,
  newTemporary: () => string,
): Promise<void> {
  for await (const { key, value } of pages(blobs)) {
    const [, ref = '', hex] = /^(.*)\/([0-9a-f]{64})$/.exec(key.toString('latin1')) ?? []
    const digest = parseDigest(`sha256:${hex}`)
    if (!digest.ok || rows.get(Buffer.from(ref, 'latin1'))?.entry.digest === digest.value) continue
    const temporary = newTemporary()
    await writeTemporary(temporary, once(value), undefined)
    try {
      await files.publish({ ref: parseRef(ref), digest: digest.value }, temporary)
    } catch (error) {
      await removeTemporary(temporary)
      throw error
    }
  }
}

/** Reads the written data back, before anything relies on it. */
async function expectEntries(folder: string, storeId: string, expected: number): Promise<void> {
  const segments = listLog(folder, storeId)
  const last = segments.at(-1)
  const end = last && (await findEnd(last, storeId, undefined))
  let intact = 0
  if (end)
    await readLog(
      segments,
      storeId,
      { from: LOG_BEGIN, end },
      {
        record(_, frame, buffer, at) {
          if (isBlobIntact(buffer, at, frame)) intact += 1
        },
        damage: () => undefined,
      },
    )
  if (intact !== expected)
    throw new Error(`${intact} of ${expected} entries could be read again from ${folder}`)
}

function entryOf(key: Buffer, { entry }: Row): Entry {
  const digest = parseDigest(entry.digest)
  if (!digest.ok)
    throw new FolderDamaged(
      `the entry ${key.toString('latin1')} of the old ledger is damaged: its digest ${digest.error}`,
      'Restore the ledger from a backup.',
    )
  return {
    ref: parseRef(`${entry.bucket_id}/${entry.artifact_id}/${entry.version}`),
    digest: digest.value,
    size: entry.size,
    ...decodeDescription(entry),
    createdAt: entry.created_at,
  }
}

async function* pages<V>(table: Database<V, Buffer>) {
  let start = Buffer.alloc(0)
  for (;;) {
    const page = Array.from(table.getRange({ start, limit: PAGE }))
    yield* page
    const last = page.at(-1)
    if (!last || page.length < PAGE) return
    start = Buffer.concat([last.key, Buffer.from('\0')])
  }
}

async function* once(bytes: Uint8Array) {
  yield bytes
}
