/**
 * Folders whose directory entries survive a power cut: created and synced from the root downwards, and synced after each new entry. A sync
 * covers only entries that existed when it began. All callers that wait for the next sync share it.
 */
import { dirname } from 'node:path'
import { makeFolder, syncFolder } from './disk.ts'

/** The number of folders remembered as durable. The oldest is forgotten first, and checked again. */
const REMEMBERED = 10_000

export interface DurableFolders {
  /** Resolves when `folder`, somewhere below the root, exists durably. */
  ensure(folder: string): Promise<void>
  /** Resolves when every name that is now in `folder` is durable. */
  sync(folder: string): Promise<void>
  /** Makes `ensure` check again, up to the root: an operator may have moved the folder or one of its parents. */
  forget(folder: string): void
}

interface Sync {
  readonly current: Promise<void>
  next: Promise<void> | undefined
}

/** @param root a folder that exists durably already. */
export function durableFolders(root: string): DurableFolders {
  const durable = new Map<string, Promise<void>>()
  const syncs = new Map<string, Sync>()

  function sync(folder: string): Promise<void> {
    const running = syncs.get(folder)
    if (!running) return begin(folder)
    // A sync in progress may have begun before our entry, so it proves nothing for us.
    running.next ??= running.current.then(
      () => begin(folder),
      () => begin(folder),
    )
    return running.next
  }

  function begin(folder: string): Promise<void> {
    const entry: Sync = {
      current: syncFolder(folder).finally(() => {
        if (entry.next === undefined) syncs.delete(folder)
      }),
      next: undefined,
    }
    syncs.set(folder, entry)
    return entry.current
  }

  async function make(folder: string): Promise<void> {
    const parent = dirname(folder)
    await ensure(parent)
    await makeFolder(folder)
    // Even if it exists: the process that created it may have died before its sync.
    await sync(parent)
  }

  function ensure(folder: string): Promise<void> {
    if (folder === root) return Promise.resolve()
    const known = durable.get(folder)
    if (known) return known
    const making = make(folder).catch((error: unknown) => {
      forget(folder)
      throw error
    })
    durable.set(folder, making)
    for (const oldest of durable.keys()) {
      if (durable.size <= REMEMBERED) break
      durable.delete(oldest)
    }
    return making
  }

  function forget(folder: string): void {
    for (let at = folder; at.length > root.length; at = dirname(at)) durable.delete(at)
  }

  return { ensure, sync, forget }
}
