/**
 * A download as a file: into a temporary beside the target, synced, and renamed only after the digest matched.
 * Whatever fails, the target is as it was before and the temporary is gone.
 */
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Download } from './download.ts'

/** @throws what the download throws; the system's error when the file cannot be written. */
export async function downloadFile({ bytes, close }: Download, path: string): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path).slice(0, 200)}.${randomUUID()}.bucket-part`)
  try {
    const handle = await open(temporary, 'wx')
    try {
      for await (const chunk of bytes) await handle.writeFile(chunk)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await close()
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** Makes the new name durable. Windows cannot open a folder, and needs it not. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
