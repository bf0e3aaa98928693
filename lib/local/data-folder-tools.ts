/** The tools of a data folder that the command line offers, as one module that is loaded by the commands that need it. */
import type { Entry } from '../domain/entry.ts'
import { FolderDamaged, ownersError } from './folder-format.ts'
import { forEachEntry, openFolderLog } from './folder-log.ts'
import { describeDamage } from './ledger/read-log.ts'

export { backupFolder, restoreFolder } from './backup.ts'
export { discardDamage, eraseVersion } from './erase.ts'

/**
 * Passes all readable entries of a data folder to `use` in batches, in the order in which they were stored.
 *
 * @throws FolderDamaged at the end, if the ledger has entries that cannot be read or has lost some.
 */
export async function listFolder(
  dataDir: string,
  use: (entries: readonly Entry[]) => Promise<void>,
): Promise<void> {
  const damage: string[] = []
  const log = await openFolderLog(dataDir)
  if (log.older) damage.push(log.older.message)
  const pass: Parameters<typeof forEachEntry>[1] = (batch) => use(batch.map(({ entry }) => entry))
  await forEachEntry(log, pass, (found) => damage.push(describeDamage(found))).catch((error: unknown) => {
    throw ownersError(error, 'the ledger cannot be read', log.root)
  })
  const [first, ...more] = damage
  if (first === undefined) return
  throw new FolderDamaged(
    `${first}${more.length > 0 ? `; and ${more.length} more` : ''}: entries may be missing in the list`,
    'Run `bucket fsck` on the folder: it names everything that is damaged.',
  )
}
