/** The tools of a data folder that the command line offers, as one module that is loaded by the commands that need it. */
import type { Entry } from '../domain/entry.ts'
import { forEachEntry, openFolderLog } from './folder-log.ts'

export { backupFolder } from './backup.ts'
export { eraseVersion } from './erase.ts'

/** Yields all entries of a data folder in batches, in the order in which they were stored. */
export async function listFolder(
  dataDir: string,
  use: (entries: readonly Entry[]) => Promise<void>,
): Promise<void> {
  await forEachEntry(await openFolderLog(dataDir), (batch) => use(batch.map(({ entry }) => entry)))
}
