/** A ledger's log in a folder of its own, for tests that damage it. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '../../../../lib/domain/entry.ts'
import {
  createLog,
  type OpenLedger,
  type OpenLedgerOptions,
  openLedger,
} from '../../../../lib/local/ledger/open-ledger.ts'
import { type FoundEnd, findEnd, listLog } from '../../../../lib/local/ledger/read-log.ts'
import { segmentName } from '../../../../lib/local/ledger/segment.ts'
import { entryOf, someBytes } from '../../../support/fake-artifacts.ts'

export const STORE_ID = '6f0a3f3e-5f0e-4b1c-9d53-0d1f0f6f7a11'

export class LogUnderTest {
  readonly dataDir: string

  constructor(dataDir = mkdtempSync(join(tmpdir(), 'bucket-log-'))) {
    this.dataDir = dataDir
  }

  /** Makes the log of a new store. */
  async create(): Promise<this> {
    mkdirSync(this.folder)
    await createLog(this.folder, STORE_ID)
    return this
  }

  get folder(): string {
    return join(this.dataDir, 'ledger')
  }

  /** Without reserved room, so that the file ends with its last group; reserved-room.test.ts is about that room. */
  open(options: Partial<OpenLedgerOptions> = {}): Promise<OpenLedger> {
    return openLedger({ dataDir: this.dataDir, storeId: STORE_ID, reservedBytes: 0, ...options })
  }

  /** Opens the log, and leaves it like a killed process. */
  async inCrash<T>(
    use: (opened: OpenLedger) => Promise<T>,
    options?: Partial<OpenLedgerOptions>,
  ): Promise<T> {
    const opened = await this.open(options)
    const result = await use(opened)
    const copy = join(this.dataDir, 'copy')
    cpSync(this.folder, copy, { recursive: true })
    await opened.close()
    rmSync(this.folder, { recursive: true })
    cpSync(copy, this.folder, { recursive: true })
    rmSync(copy, { recursive: true })
    this.forgetIndex()
    return result
  }

  /** Removes the index, and with it the proof of a clean stop. */
  forgetIndex(): void {
    for (const name of ['index.mdb', 'index.mdb-lock', 'index.proof'])
      rmSync(join(this.dataDir, name), { force: true })
  }

  /** The end of the log at a start. */
  async end(): Promise<Omit<FoundEnd, 'reached'>> {
    const last = listLog(this.folder, STORE_ID).at(-1)
    if (!last) throw new Error('the log has no segment')
    const { segment, offset, nextGroup } = await findEnd(last, STORE_ID, undefined)
    return { segment, offset, nextGroup }
  }

  path(segment = 1): string {
    return join(this.folder, segmentName(segment))
  }
  bytes(segment = 1): Buffer {
    return readFileSync(this.path(segment))
  }
  size(segment = 1): number {
    return statSync(this.path(segment)).size
  }
  /** In place of a whole segment. */
  replace(bytes: Uint8Array, segment = 1): void {
    rmSync(this.path(segment), { force: true })
    writeFileSync(this.path(segment), bytes)
  }

  remove(): void {
    rmSync(this.dataDir, { recursive: true })
  }
}

export interface Stored {
  readonly entry: Entry
  readonly bytes: Uint8Array
}

/** @param size of a small blob, in bytes. */
export function artifact(version: string, size = 20): Stored {
  const bytes = someBytes(size, version.length + size)
  return { bytes, entry: entryOf(`b/a/${version}`, bytes) }
}

/** Stores artifacts with their bytes, all in one group. */
export const storeAll = ({ ledger, held }: OpenLedger, stored: readonly Stored[]) =>
  Promise.all(
    stored.map(({ entry, bytes }) => {
      held.hold(entry, bytes)
      return ledger.append(entry, `commit-of-${entry.ref.version}`)
    }),
  )
