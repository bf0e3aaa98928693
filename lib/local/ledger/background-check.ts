/**
 * Reads the whole log once while a server runs. A start after a clean stop trusts its index and reads no sealed segment, so without this
 * check a damaged record would be noticed only when somebody asks for it.
 */
import { setTimeout } from 'node:timers/promises'
import type { Entry } from '../../domain/entry.ts'
import { KIB } from '../../domain/limits.ts'
import type { LogEnd } from './append-log.ts'
import { type LogDamage, type LogSegment, readLog } from './read-log.ts'
import { decodeEntry, isBlobIntact } from './record.ts'
import { SEGMENT_HEADER_BYTES } from './segment.ts'

/** 16 MiB per second: each window is read at once, in about 2 ms. */
const WINDOW_BYTES = 256 * KIB
const PAUSE_MS = 16

export interface CheckFindings {
  onDamage(damage: LogDamage): void
  /** The record can be read, but the bytes in it are wrong. */
  onWrongBytes(entry: Entry, segment: number): void
}

export interface CheckedLog {
  readonly segments: readonly LogSegment[]
  readonly storeId: string
  /** Records after it are new. */
  readonly end: LogEnd
}

/** @returns stops the check, and resolves when it reads no more. */
export function checkInBackground(
  { segments, storeId, end }: CheckedLog,
  findings: CheckFindings,
): () => Promise<void> {
  const stopped = new AbortController()
  const { signal } = stopped
  const from = { segment: 1, offset: SEGMENT_HEADER_BYTES }
  const range = { from, end, windowBytes: WINDOW_BYTES }
  const checked = readLog(segments, storeId, range, {
    record(segment, frame, buffer, at) {
      if (!isBlobIntact(buffer, at, frame))
        findings.onWrongBytes(decodeEntry(buffer, at, frame).entry, segment)
    },
    damage: (found) => findings.onDamage(found),
    pause: () => setTimeout(PAUSE_MS, undefined, { ref: false, signal }),
    // A segment that cannot be read now is reported to each caller that asks for its records.
  }).catch(() => undefined)
  return () => {
    stopped.abort()
    return checked
  }
}
