/**
 * Unfinished files and folders that survive their process. The name of a free one is only a digest. A process claims it by renaming it to a
 * name with its own identity, which only one process can win, and releases it in the same way. The work of a killed process is free as soon
 * as that process is gone.
 */
import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { errorCode } from '../../flow/error-code.ts'

/** Unfinished work that was not continued for this long is removed. Milliseconds. */
const STALE_MS = 7 * 24 * 3600 * 1000
/** Work of a process on another machine counts as free after this long without a write. Milliseconds. */
const FOREIGN_IDLE_MS = 3600 * 1000

const NAME = /^\.([0-9a-f]{64})(?:\.([0-9a-f]{8})-(\d+)-(\d+)-\d+)?(\.[a-z-]+)$/

interface Owner {
  readonly host: string
  readonly pid: number
  /** The start time of the process, in the system's own unit; 0 if unknown. */
  readonly started: number
}

interface Found {
  readonly name: string
  readonly hex: string
  readonly owner: Owner | undefined
}

let counter = 0

/** @returns a path that no other process or call uses. */
export const claimedPath = (folder: string, hex: string, suffix: string): string =>
  join(folder, `.${hex}.${OWNER}-${counter++}${suffix}`)

export const freePath = (folder: string, hex: string, suffix: string): string =>
  join(folder, `.${hex}${suffix}`)

/** Claims free unfinished work of this digest. @returns its new path; undefined if there is none. */
export async function claim(folder: string, hex: string, suffix: string): Promise<string | undefined> {
  const path = claimedPath(folder, hex, suffix)
  if (await renamed(freePath(folder, hex, suffix), path)) return path
  for (const found of await listed(folder, suffix)) {
    if (found.hex !== hex || found.owner === undefined || isAlive(found.owner)) continue
    const from = join(folder, found.name)
    if (found.owner.host !== HOST && (await idleMs(from)) < FOREIGN_IDLE_MS) continue
    if (await renamed(from, path)) return path
  }
  return undefined
}

/** Whether a folder has unfinished work of this digest, or of any. False if it cannot be listed. */
export async function hasUnfinished(
  folder: string,
  hex: string | undefined,
  suffix: string,
): Promise<boolean> {
  return (await listed(folder, suffix)).some((found) => hex === undefined || found.hex === hex)
}

/** Removes work that was not continued for a week. */
export async function removeStale(folder: string, suffix: string): Promise<void> {
  for (const { name, owner } of await listed(folder, suffix)) {
    const path = join(folder, name)
    if (owner !== undefined && isAlive(owner)) continue
    if ((await idleMs(path)) >= STALE_MS) await rm(path, { recursive: true, force: true })
  }
}

async function listed(folder: string, suffix: string): Promise<Found[]> {
  // In a folder that can be written but not listed, only work with a known name can be found.
  const names = await readdir(folder).catch(() => [])
  return names.flatMap((name) => {
    const [, hex, host, pid, started, ending] = NAME.exec(name) ?? []
    if (hex === undefined || ending !== suffix) return []
    const owner = host === undefined ? undefined : { host, pid: Number(pid), started: Number(started) }
    return [{ name, hex, owner }]
  })
}

/** Whether the process runs on this machine. Processes of other machines are unknown. */
function isAlive(owner: Owner): boolean {
  if (owner.host !== HOST) return false
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    // EPERM: it runs as another user.
    if (errorCode(error) !== 'EPERM') return false
  }
  // The system reuses the number of an ended process.
  const started = startedAt(owner.pid)
  return started === 0 || owner.started === 0 || started === owner.started
}

/** Field 22 of `/proc/PID/stat` (proc_pid_stat(5)); 0 where there is none, and -1 for a killed process that its parent has not reaped. */
function startedAt(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? -1 : Number(fields[19] ?? 0)
  } catch {
    return 0
  }
}

/** Process numbers are valid within one machine and one PID namespace (a container has its own). */
const HOST = createHash('sha256').update(`${hostname()}\n${pidNamespace()}`).digest('hex').slice(0, 8)
const OWNER = `${HOST}-${process.pid}-${startedAt(process.pid)}`

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

async function idleMs(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined)
  return found === undefined ? 0 : Date.now() - found.mtimeMs
}
