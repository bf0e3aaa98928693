/** Checks whether a file system can represent the names of a manifest, before anything is fetched. */
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../../flow/error-code.ts'
import { FolderError } from '../folder/folder-error.ts'
import type { FolderManifest } from '../folder/manifest.ts'

/** @see https://learn.microsoft.com/windows/win32/fileio/naming-a-file */
const WINDOWS_REFUSES = /[<>:"\\|?*\p{Cc}]|[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/iu

/**
 * Names that differ only in case or in their Unicode form are tried out in `folder`: the file system alone decides which
 * of them are the same.
 *
 * @throws FolderError `target_invalid` with the names.
 */
export async function checkNames({ entries }: FolderManifest, folder: string): Promise<void> {
  const alike = new Map<string, Set<string>>()
  for (const { path } of entries) {
    const segments = path.split('/')
    for (let count = 1; count <= segments.length; count++) {
      const name = segments[count - 1] ?? ''
      if (process.platform === 'win32' && WINDOWS_REFUSES.test(name))
        throw refused(`this file system cannot hold the name ${JSON.stringify(name)}`)
      const key = segments.slice(0, count).join('/').normalize('NFC').toUpperCase().toLowerCase()
      const names = alike.get(key)
      if (names) names.add(name)
      else alike.set(key, new Set([name]))
    }
  }
  const suspects = [...alike.values()].filter((names) => names.size > 1)
  const probe = join(folder, 'probe')
  for (const names of suspects) {
    await mkdir(probe, { recursive: true })
    try {
      for (const name of names) await (await open(join(probe, name), 'wx')).close()
    } catch (error) {
      if (errorCode(error) === 'EEXIST')
        throw refused(
          `this file system cannot tell apart ${[...names].map((name) => JSON.stringify(name)).join(' and ')}`,
        )
      throw error
    } finally {
      await rm(probe, { recursive: true, force: true })
    }
  }
}

const refused = (message: string) =>
  new FolderError('target_invalid', message, 'Pull to another file system.')
