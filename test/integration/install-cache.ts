/**
 * Installations of the emulators, shared by all runs of this machine. A folder counts only after its link was made, which is
 * the last step: an interrupted installation never counts, and two installations at the same time do not disturb each other.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bucket')

/** A short name for exactly these pins: other pins are another installation. */
export async function keyOf(files: readonly string[], ...more: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of [...files].sort()) hash.update(await readFile(file)).update('\0')
  for (const text of more) hash.update(text).update('\0')
  return hash.digest('hex').slice(0, 16)
}

/**
 * The folder of an installation; `install` fills it if it does not exist.
 *
 * @param name of the link in the cache, with the key of its pins.
 */
export async function installed(name: string, install: (folder: string) => Promise<void>): Promise<string> {
  const link = join(CACHE, name)
  const known = await readlink(link).catch(() => undefined) // absent: not installed yet
  if (known !== undefined) return join(CACHE, known)
  await mkdir(CACHE, { recursive: true })
  await removeLeftovers(name)
  const folder = `${name}.${process.pid}`
  await rm(join(CACHE, folder), { recursive: true, force: true })
  await mkdir(join(CACHE, folder))
  await install(join(CACHE, folder))
  await symlink(folder, `${link}.${process.pid}.link`)
  await rename(`${link}.${process.pid}.link`, link)
  return join(CACHE, folder)
}

/** Removes the remains of interrupted installations of the same pins. */
async function removeLeftovers(name: string): Promise<void> {
  for (const entry of await readdir(CACHE)) {
    const pid = entry.startsWith(`${name}.`) ? Number(entry.slice(name.length + 1).split('.')[0]) : 0
    if (pid > 0 && !isAlive(pid)) await rm(join(CACHE, entry), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false // no such process; another user's would not write into this cache
  }
}
