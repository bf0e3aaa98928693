/** The index of the ledger is damaged while a server runs: reads say so, nothing is called absent, and a restart builds it again. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { bundledProgram } from '../../../support/bundled-program.ts'

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-index-'))
})
afterEach(() => rm(dataDir, { recursive: true }))

/** In a process of its own, because LMDB maps the file into memory. */
const PROGRAM = `
  import { randomFillSync } from 'node:crypto'
  import { fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
  import { createFullApi } from './lib/http/full-api.ts'
  import { openFolder } from './lib/local/folder.ts'
  import { entryOf, someBytes } from './test/support/fake-artifacts.ts'
  import { webHandler } from './test/support/web-handler.ts'
  const [dataDir, damage] = process.argv.slice(2)
  let folder = await openFolder(dataDir)
  const entries = Array.from({ length: 2_000 }, (_, at) => entryOf('b/a' + (at % 50) + '/v' + at, someBytes(1, at)))
  await Promise.all(entries.map((entry) => folder.ledger.append(entry, 'commit of ' + entry.ref.version)))
  await folder.close()
  folder = await openFolder(dataDir)
  const fd = openSync(dataDir + '/index.mdb', 'r+')
  const page = Buffer.alloc(4096)
  if (damage === 'an empty file') ftruncateSync(fd)
  for (let at = 0; at < fstatSync(fd).size; at += 4096)
    writeSync(fd, damage === 'zeros' ? page : randomFillSync(page), 0, 4096, at)
  const lines = []
  const { blobs, ledger, uploads, staging, queue } = folder
  const ports = { blobs, bytes: blobs, ledger, uploads, staging, queue, health: [ledger, blobs] }
  const limits = { maxInlineBytes: 1e9, maxArtifactBytes: 1e9, presignedSeconds: 600, clock: Date.now }
  const handle = webHandler(createFullApi({ stores: { ...ports, ...limits }, log: (line) => lines.push(line) }))
  const root = 'http://bucket.test/v1'
  const version = root + '/buckets/b/artifacts/a7/versions/'
  const paths = { stored: version + 'v7', absent: version + 'none', list: root + '/buckets/b/artifacts/a7/versions', health: root + '/health' }
  const seen = {}
  for (const [name, path] of Object.entries(paths)) {
    const response = await handle(new Request(path))
    seen[name] = [response.status, (await response.json()).code, lines.at(-1).error !== undefined]
  }
  seen.store = (await folder.ledger.append(entryOf('b/a1/new', someBytes(1)), 'new').catch((error) => error)).code
  await folder.close().catch(() => undefined)
  folder = await openFolder(dataDir)
  seen.rebuilt = (await folder.ledger.find(entries[7].ref))?.digest === entries[7].digest
  console.log(JSON.stringify(seen))
  process.exit(0)`

it.each(['zeros', 'random bytes', 'an empty file'])(
  'overwritten with %s gives 503 with a cause in the log, and is built again by a restart',
  { timeout: 60_000 },
  async (damage) => {
    const { path, remove } = await bundledProgram(PROGRAM)
    const { stdout } = await promisify(execFile)(process.execPath, [path, dataDir, damage]).finally(remove)
    const unavailable = [503, 'unavailable', true]
    expect(JSON.parse(stdout)).toEqual({
      stored: unavailable,
      absent: unavailable,
      list: unavailable,
      health: unavailable,
      store: 'unavailable',
      rebuilt: true,
    })
  },
)
