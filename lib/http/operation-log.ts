/**
 * Encodes the records of the operation log, and writes them as JSON lines, many of them in one write when requests come fast. Lines are
 * dropped and counted while a reader stalls, so that its backlog has a bound.
 */
import type { Writable } from 'node:stream'
import { MIB } from '../domain/limits.ts'
import { aroundSlots, NUMBER_SLOT, SLOT } from './slots.ts'

/** The names of members in lines, by the names of members in records: `durationMs` is `duration_ms`. */
const names = new Map<string, string>()

function nameOf(member: string): string {
  const known = names.get(member)
  if (known !== undefined) return known
  const name = member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  names.set(member, name)
  return name
}

/** The line of a record without its end. Faster than `JSON.stringify` of `encodeRecord`, whose object has no fixed shape. */
function encodeLine(record: object): string {
  let line = '{'
  for (const [member, value] of Object.entries(record)) {
    if (value === undefined) continue
    if (line !== '{') line += ','
    line += `"${nameOf(member)}":${isMembers(value) ? encodeLine(value) : encodeValue(value)}`
  }
  return `${line}}`
}

/** Texts that need no escapes in JSON. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/

const encodeValue = (value: unknown): string =>
  typeof value === 'string' && PLAIN_TEXT.test(value) ? `"${value}"` : JSON.stringify(value)

/** @returns the members of the line for `record`: every record in the code is in camelCase, every line in snake_case. */
export function encodeRecord(record: object): Record<string, unknown> {
  const members: Record<string, unknown> = {}
  for (const [member, value] of Object.entries(record))
    members[nameOf(member)] = isMembers(value) ? encodeRecord(value) : value
  return members
}

/** A list of texts or numbers stays as it is. */
const isMembers = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Lines wait for others for at most so many milliseconds and bytes. */
const BATCH_MS = 25
const BATCH_BYTES = 64 * 1024
/** At most about so many bytes wait for the reader of the lines. */
const UNREAD_BYTES = 16 * MIB

export interface JsonLines {
  (record: object): void
  /**
   * Prepares lines that have everything but these three members in common.
   *
   * @param recordOf returns a record with the given values in it.
   */
  repeated(
    recordOf: (varying: { time: string; requestId: string; durationMs: number }) => object,
  ): (time: string, requestId: string, durationMs: number) => void
  /** Writes the lines that wait. Call it before the process ends. */
  flush(): void
}

/** @param stream where the lines go: stderr of a server, so that stdout stays free for its ready line. */
export function jsonLines(stream: Pick<Writable, 'write' | 'writableLength'>): JsonLines {
  let lines = ''
  let count = 0
  let dropped = 0
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (count === 0) return
    if (stream.writableLength > UNREAD_BYTES) dropped += count
    else {
      // As bytes: a text that was joined from many takes several times as much memory until it is written.
      stream.write(Buffer.from(dropped === 0 ? lines : encode(droppedLines(dropped)) + lines))
      dropped = 0
    }
    lines = ''
    count = 0
  }
  const add = (line: string) => {
    lines += line
    count += 1
    if (lines.length >= BATCH_BYTES) flush()
    else timer ??= setTimeout(flush, BATCH_MS)
  }
  const encode = (record: object) => `${encodeLine(record)}\n`
  const repeated: JsonLines['repeated'] = (recordOf) => {
    const line = encode(recordOf({ time: SLOT, requestId: SLOT, durationMs: NUMBER_SLOT }))
    const [start, toRequestId, toDuration, end] = aroundSlots(line, [SLOT, SLOT, String(NUMBER_SLOT)])
    return (time, requestId, durationMs) =>
      add(`${start}${time}${toRequestId}${requestId}${toDuration}${durationMs}${end}`)
  }
  return Object.assign((record: object) => add(encode(record)), { repeated, flush })
}

const droppedLines = (lines: number) => ({
  time: new Date().toISOString(),
  operation: 'dropped_lines',
  message: `${lines} lines of this log were dropped, because its reader was too slow`,
  droppedLines: lines,
})
