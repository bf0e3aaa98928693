/** The cost of a store and of a page of the list when one artifact has many versions. */
import { join } from 'node:path'
import { digestFromHex } from '../../lib/domain/digest.ts'
import { artifactRef } from '../../lib/domain/refs.ts'
import { openFolder } from '../../lib/local/folder.ts'
import { described } from '../support/described.ts'
import { get, measure, payload, put } from './load.ts'
import { startBucketServer } from './server-process.ts'

export async function ledgerGrowth(folder: string): Promise<void> {
  console.log(
    '\n| versions of one artifact | store p50 ms | store p99 ms | page of 100 p50 ms | p99 ms |\n|---|---|---|---|---|',
  )
  for (const versions of [1_000, 100_000]) {
    const dataDir = join(folder, String(versions))
    await fill(dataDir, versions)
    const server = await startBucketServer(dataDir)
    const root = `${server.origin}/v1/buckets/bench/artifacts/growth/versions`
    const store = await measure({ size: 1024, clients: 1, operations: 300 }, (agent, index) =>
      put(agent, `${root}/measured-${index}`, payload(1024, index)),
    )
    const page = await measure({ size: 0, clients: 1, operations: 300 }, (agent) => get(agent, root))
    await server.stop()
    const columns = [
      versions,
      store.p50.toFixed(2),
      store.p99.toFixed(2),
      page.p50.toFixed(2),
      page.p99.toFixed(2),
    ]
    console.log(`| ${columns.join(' | ')} |`)
  }
}

/** Entries without blobs, because these measurements do not read any. */
async function fill(dataDir: string, versions: number): Promise<void> {
  const folder = await openFolder(dataDir)
  const entry = (index: number) => ({
    ref: artifactRef({ bucketId: 'bench', artifactId: 'growth', version: `v${index}` }),
    digest: digestFromHex('0'.repeat(64)),
    size: 1024,
    ...described(),
    createdAt: new Date().toISOString(),
  })
  for (let from = 0; from < versions; from += 1_000)
    await Promise.all(
      Array.from({ length: 1_000 }, (_, at) => folder.ledger.append(entry(from + at), `fill-${from + at}`)),
    )
  await folder.close()
}
