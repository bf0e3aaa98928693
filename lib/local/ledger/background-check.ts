/**
 * Reads the whole log once while a server runs, and looks for the file of each blob. A start after a clean stop trusts its index and reads no
 * sealed segment, so without this check damage would be noticed only when somebody asks for the version.
 */
import { setTimeout } from 'node:timers/promises'
import type { Entry } from '../../domain/entry.ts'
import { KIB } from '../../domain/limits.ts'
import { type LogDamage, type LogSegment, readLog } from './read-log.ts'
import { decodeEntry, isBlobIntact } from './record.ts'
import { LOG_BEGIN, type LogPosition } from './segment.ts'

/** 16 MiB per second: each window is read at once, in about 2 ms. */
const WINDOW_BYTES = 256 * KIB
const PAUSE_MS = 16

export interface CheckFindings {
  onDamage(damage: LogDamage): void
  /** The record can be read, but the bytes in it are wrong. */
  onWrongBytes(entry: Entry, segment: number): void
  /** Called at the end, if files of blobs are missing or have another size. @param files that the log names. */
  onLost(lost: LostFiles): void
}

/** Blobs whose files are lost. */
export interface LostFiles {
  readonly count: number
  /** The first few of their entries. */
  readonly examples: readonly Entry[]
  /** The number of blobs that should be files. */
  readonly files: number
}

const EXAMPLES = 10

export interface CheckedLog {
  readonly segments: readonly LogSegment[]
  readonly storeId: string
  /** Records after it are new. */
  readonly end: LogPosition
  /** Whether the file of a blob is there, with its size. */
  readonly hasFile: (entry: Entry) => Promise<boolean>
}

/** @returns stops the check, and resolves when it reads no more. */
export function checkInBackground(
  { segments, storeId, end, hasFile }: CheckedLog,
  findings: CheckFindings,
): () => Promise<void> {
  const stopped = new AbortController()
  const { signal } = stopped
  const range = { from: LOG_BEGIN, end, windowBytes: WINDOW_BYTES }
  const lost: Entry[] = []
  let [lostFiles, files] = [0, 0]
  let inFiles: Entry[] = []
  async function lookForFiles(): Promise<void> {
    const batch = inFiles
    inFiles = []
    for (const entry of batch) {
      if (signal.aborted) return
      files += 1
      if (await hasFile(entry)) continue
      lostFiles += 1
      if (lost.length < EXAMPLES) lost.push(entry)
    }
  }
  const checked = readLog(segments, storeId, range, {
    record(segment, frame, buffer, at) {
      if (frame.kind === 'file') inFiles.push(decodeEntry(buffer, at, frame).entry)
      else if (!isBlobIntact(buffer, at, frame))
        findings.onWrongBytes(decodeEntry(buffer, at, frame).entry, segment)
    },
    damage: (found) => findings.onDamage(found),
    async pause() {
      await lookForFiles()
      await setTimeout(PAUSE_MS, undefined, { ref: false, signal })
    },
  }).then(
    () => lostFiles > 0 && findings.onLost({ count: lostFiles, examples: lost, files }),
    // A segment that cannot be read now is reported to each caller that asks for its records.
    () => undefined,
  )
  return async () => {
    stopped.abort()
    await checked
  }
}
