/** The limits of the machine without a server: hashing alone, and writing bytes durably to the disk. */
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { link, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'

const KIB = 1024
const MIB = 1024 * KIB

/** MiB a second of SHA-256 over data in memory. */
export function sha256Rate(): number {
  const data = randomBytes(64 * KIB)
  const hash = createHash('sha256')
  const from = performance.now()
  for (let round = 0; round < 8 * 1024; round += 1) hash.update(data)
  hash.digest()
  return 512 / ((performance.now() - from) / 1000)
}

/** Files a second of 1 KiB: written, synced, given another name; one after the other. */
export async function syncedFileRate(folder: string): Promise<number> {
  const data = randomBytes(KIB)
  const files = 500
  const from = performance.now()
  for (let index = 0; index < files; index += 1) {
    const name = join(folder, `floor-${index}`)
    const file = await open(name, 'wx')
    await file.write(data)
    await file.sync()
    await file.close()
    await link(name, `${name}.final`)
    await unlink(name)
  }
  return files / ((performance.now() - from) / 1000)
}

/** Records a second of 1.3 KiB (a small artifact in the ledger): appended to one file and synced, one after the other. */
export function syncedAppendRate(folder: string, records: number): number {
  const data = randomBytes(1300)
  const fd = openSync(join(folder, `floor-append-${Date.now()}`), 'wx')
  const from = performance.now()
  for (let index = 0; index < records; index += 1) {
    writeSync(fd, data)
    fdatasyncSync(fd)
  }
  const rate = records / ((performance.now() - from) / 1000)
  closeSync(fd)
  return rate
}

/** MiB a second of one large file, synced at its end. */
export async function syncedWriteRate(folder: string): Promise<number> {
  const data = randomBytes(MIB)
  const from = performance.now()
  const name = join(folder, 'floor-large')
  const file = await open(name, 'wx')
  for (let round = 0; round < 1024; round += 1) await file.write(data)
  await file.sync()
  await file.close()
  const rate = 1024 / ((performance.now() - from) / 1000)
  await unlink(name)
  return rate
}
