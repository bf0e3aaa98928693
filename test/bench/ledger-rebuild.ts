/** The time to build the index of a ledger from its log, as a start after a crash or with a lost index does. */
import { randomBytes } from 'node:crypto'
import { rmSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type FolderRecord, openFolder } from '../../lib/local/folder.ts'
import { fillLedger } from './fill-ledger.ts'

export async function ledgerRebuild(folder: string): Promise<void> {
  console.log(
    '\n| entries | blob | appended a second | log bytes an entry | index bytes an entry | index built in s | entries a second | start with index s | RSS MiB |\n|---|---|---|---|---|---|---|---|---|',
  )
  for (const { entries, blob } of [
    { entries: 1_000_000, blob: 0 },
    { entries: 1_000_000, blob: 1024 },
  ]) {
    const dataDir = join(folder, `${entries}-${blob}`)
    const bytes = blob > 0 ? randomBytes(blob) : undefined
    const nameOf = (index: number) => `bench/artifact-${index % 1000}/v${index}`
    const appended = await fillLedger(dataDir, { entries, bytes, nameOf })
    const size = async (name: string) =>
      name.endsWith('.mdb')
        ? statSync(join(dataDir, name)).size
        : (await readdir(join(dataDir, name)))
            .map((each) => statSync(join(dataDir, name, each)).size)
            .reduce((sum, each) => sum + each, 0)
    const withIndex = await timeStart(dataDir)
    rmSync(join(dataDir, 'index.mdb'))
    const rebuilt = await timeStart(dataDir)
    const columns = [
      entries,
      blob,
      Math.round(entries / appended),
      ((await size('ledger')) / entries).toFixed(0),
      ((await size('index.mdb')) / entries).toFixed(0),
      rebuilt.seconds.toFixed(2),
      Math.round(entries / rebuilt.seconds),
      withIndex.seconds.toFixed(2),
      (process.memoryUsage().rss / 1024 / 1024).toFixed(0),
    ]
    console.log(`| ${columns.join(' | ')} |`)
    rmSync(dataDir, { recursive: true })
  }
}

async function timeStart(dataDir: string): Promise<{ seconds: number }> {
  const records: object[] = []
  const from = performance.now()
  const folder = await openFolder(dataDir, { log: (record) => records.push(record) })
  const seconds = (performance.now() - from) / 1000
  await folder.close()
  const opened = records.find((record): record is FolderRecord => 'message' in record)
  return { seconds: opened?.indexRebuilt?.seconds ?? seconds }
}
