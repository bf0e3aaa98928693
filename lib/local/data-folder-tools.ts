/** The tools of a data folder that the command line offers, as one module that is loaded by the commands that need it. */
import type { Entry } from '../domain/entry.ts'
import { ownersError } from './folder-format.ts'
import { forEachEntry, openFolderLog } from './folder-log.ts'

export { backupFolder } from './backup.ts'
export { discardDamage, eraseVersion } from './erase.ts'

/** Yields all entries of a data folder in batches, in the order in which they were stored. */
export async function listFolder(
  dataDir: string,
  use: (entries: readonly Entry[]) => Promise<void>,
): Promise<void> {
  const log = await openFolderLog(dataDir)
  await forEachEntry(log, (batch) => use(batch.map(({ entry }) => entry))).catch((error: unknown) => {
    throw ownersError(error, 'the ledger cannot be read')
  })
}
