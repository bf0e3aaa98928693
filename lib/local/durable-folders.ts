/**
 * Folders whose names survive a power cut: made and synced from the root downwards, and synced after each new name in them.
 * A sync counts only for names that were there when it began; all who wait for the next one share it.
 */
import { dirname } from 'node:path'
import { makeFolder, syncFolder } from './disk.ts'

/** Folders remembered as durable; beyond that the oldest is looked at again. */
const REMEMBERED = 10_000

export interface DurableFolders {
  /** Resolves when `folder`, somewhere below the root, exists durably. */
  ensure(folder: string): Promise<void>
  /** Resolves when every name that is now in `folder` is durable. */
  sync(folder: string): Promise<void>
  /** Has `ensure` look again, up to the root: an operator may have moved the folder away, or one that it is in. */
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
    // The running one may have passed our name already, so it proves nothing for us.
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
    // Also when it was there already: the process that made it may have died before its sync.
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
