/** The lock file: pinned refs that a project depends on, one per line (docs/manifest.md). */
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type Digest, parseDigest } from '../../domain/digest.ts'
import { type ArtifactRef, formatPinnedRef, formatRef } from '../../domain/identifiers.ts'
import { parseRef } from '../../domain/refs.ts'
import { errorCode } from '../../flow/error-code.ts'
import { aboutPath } from './download-target.ts'

const HEADER = '# bucket-lock 1'
const LINE = /^([^@\s]+)@(sha256:[0-9a-f]{64}) (0|[1-9][0-9]{0,15})$/
/** How long a writer waits for another one, in milliseconds. */
const WRITER_MS = 30_000
const TICK_MS = 50

export interface LockedRef {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

export class LockFileError extends Error {
  override readonly name = 'LockFileError'
  readonly code: 'not_locked' | 'lock_differs' | 'lock_invalid' | 'lock_busy'
  readonly next: string

  constructor(code: LockFileError['code'], message: string, next: string) {
    super(message)
    this.code = code
    this.next = next
  }
}

/**
 * @returns the lines of a lock file by `bucket_id/artifact_id/version`; none if it does not exist.
 * @throws LockFileError `lock_invalid` with the number of the line; the system's error.
 */
export async function readLockFile(path: string): Promise<ReadonlyMap<string, LockedRef>> {
  const locked = new Map<string, LockedRef>()
  const text = await readFile(path, 'latin1').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return `${HEADER}\n`
    throw aboutPath(error, path)
  })
  const invalid = (number: number, what: string) =>
    new LockFileError('lock_invalid', `${path}:${number} ${what}`, 'Correct the line, or remove it.')
  const [header = '', ...lines] = text.split('\n').map((line) => line.replace(/\r$/, ''))
  if (header !== HEADER) throw invalid(1, `is not ${JSON.stringify(HEADER)}`)
  for (const [at, line] of lines.entries()) {
    if (line.trim() === '') continue
    const [, ref = '', hex = '', size = ''] = LINE.exec(line) ?? []
    const digest = parseDigest(hex)
    if (!isRef(ref) || !digest.ok || !Number.isSafeInteger(Number(size)))
      throw invalid(at + 2, 'is not a pinned ref and a size')
    const found = locked.get(ref)
    if (found && (found.digest !== digest.value || found.size !== Number(size)))
      throw invalid(at + 2, `locks ${ref} to a second digest or size`)
    locked.set(ref, { digest: digest.value, size: Number(size) })
  }
  return locked
}

/**
 * @param digest that the caller requires, if any.
 * @returns the locked line of a ref.
 * @throws LockFileError `not_locked`; `lock_differs` if `digest` is another one; `lock_invalid`.
 */
export async function lockedRef(
  path: string,
  ref: ArtifactRef,
  digest: Digest | undefined,
): Promise<LockedRef> {
  const name = formatRef(ref)
  const locked = (await readLockFile(path)).get(name)
  if (locked === undefined)
    throw new LockFileError(
      'not_locked',
      `${path} does not name ${name}`,
      'Add it: store it with --lock, or write the line that the entry gives.',
    )
  if (digest !== undefined && digest !== locked.digest)
    throw differs(path, ref, locked, formatPinnedRef({ ref, digest }))
  return locked
}

/**
 * Checks before a store that `addToLockFile` can succeed: every line is valid, and the file can be written.
 *
 * @param ref of the artifact, once its bytes are known: it must not be locked with other bytes.
 * @throws as `addToLockFile`.
 */
export async function checkLockFile(path: string, ref?: ArtifactRef, added?: LockedRef): Promise<void> {
  const { handle, temporary } = await createExclusively(path)
  try {
    const locked = await readLockFile(path)
    if (ref && added) withRef(path, locked, ref, added)
  } finally {
    await handle.close()
    await rm(temporary, { force: true })
  }
}

/**
 * Adds a pinned ref, sorted among the others. A line that exists is never changed.
 *
 * @throws LockFileError `lock_differs` if the ref is locked with other bytes; `lock_busy`; `lock_invalid`; the system's error.
 */
export async function addToLockFile(path: string, ref: ArtifactRef, added: LockedRef): Promise<void> {
  const { handle, temporary } = await createExclusively(path)
  try {
    const refs = withRef(path, await readLockFile(path), ref, added)
    // Refs are ASCII, so the order of code units is that of the bytes.
    const lines = [...refs].map(([key, { digest, size }]) => `${key}@${digest} ${size}`).sort()
    await handle.writeFile([HEADER, ...lines, ''].join('\n'))
    await handle.sync()
    await handle.close()
    await rename(temporary, path)
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(temporary, { force: true })
    throw error
  }
}

/** @throws LockFileError `lock_differs`. */
function withRef(
  path: string,
  refs: ReadonlyMap<string, LockedRef>,
  ref: ArtifactRef,
  added: LockedRef,
): ReadonlyMap<string, LockedRef> {
  const name = formatRef(ref)
  const locked = refs.get(name) ?? added
  if (locked.digest !== added.digest || locked.size !== added.size)
    throw differs(
      path,
      ref,
      locked,
      `${formatPinnedRef({ ref, digest: added.digest })} (${added.size} bytes)`,
    )
  return new Map([...refs, [name, added]])
}

const differs = (path: string, ref: ArtifactRef, { digest, size }: LockedRef, other: string) =>
  new LockFileError(
    'lock_differs',
    `${path} locks ${formatPinnedRef({ ref, digest })} (${size} bytes), not ${other}`,
    'A stored version never changes: use the locked digest, or a new version.',
  )

/** The new file that will replace the lock file also excludes other writers. */
async function createExclusively(path: string): Promise<{ handle: FileHandle; temporary: string }> {
  const temporary = `${path}.new`
  for (const began = performance.now(); ; ) {
    try {
      return { handle: await open(temporary, 'wx'), temporary }
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw aboutPath(error, path)
      if (performance.now() - began > WRITER_MS)
        throw new LockFileError(
          'lock_busy',
          `another process has been writing ${temporary} for ${WRITER_MS / 1000} seconds`,
          'Remove that file if no such process runs, and repeat the command.',
        )
      await delay(TICK_MS)
    }
  }
}

function isRef(text: string): boolean {
  try {
    return formatRef(parseRef(text)) === text
  } catch {
    return false
  }
}
