/**
 * `npm run bench`: stores and fetches of several sizes at several numbers of clients, on Bucket's local server and on a bare one,
 * in turn and in one run, so that the two columns saw the same machine. Nothing here passes or fails: it is read.
 *
 * Options: `--quick` (smaller cells), `--folder DIR` (a disk to measure; default: under the checkout, not a tmpfs),
 * `--only targets,floors,cells,client,growth,rebuild,cold-start,start-up`, `--cell '1 KiB/4'` (size and clients; may stand several times, and is measured each time),
 * `--target 'fetch 1 KiB'` (the beginning of the name of a target, or of a ledger that grows; may stand several times).
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { clients } from './client.ts'
import { coldStarts } from './cold-start.ts'
import { sha256Rate, syncedFileRate, syncedWriteRate } from './floors.ts'
import { growth } from './growth.ts'
import { ledgerRebuild } from './ledger-rebuild.ts'
import { type Cell, get, measure, payload, put } from './load.ts'
import { type MeasuredServer, startBucketServer, startMeasured } from './server-process.ts'
import { startUps } from './start-up.ts'
import { targets } from './targets.ts'

const KIB = 1024
const MIB = 1024 * KIB

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    folder: { type: 'string' },
    only: { type: 'string' },
    cell: { type: 'string', multiple: true },
    target: { type: 'string', multiple: true },
  },
})
const base = resolve(values.folder ?? '.cache/bench')
mkdirSync(base, { recursive: true })
const only = values.only?.split(',')
const wants = (part: string) => only === undefined || only.includes(part)

const sizeName = (bytes: number) =>
  bytes >= 1024 * MIB
    ? `${bytes / 1024 / MIB} GiB`
    : bytes >= MIB
      ? `${bytes / MIB} MiB`
      : `${bytes / KIB} KiB`

const scale = values.quick ? 0.25 : 1
const count = (full: number, clients: number) => Math.max(clients, Math.round(full * scale))
const ALL_CELLS: readonly Cell[] = [
  ...[1, 4, 16].map((clients) => ({ size: KIB, clients, operations: count(4000, clients) })),
  ...[1, 4, 16].map((clients) => ({ size: MIB, clients, operations: count(600, clients) })),
  ...[1, 4, 16].map((clients) => ({ size: 256 * MIB, clients, operations: count(4, clients) })),
  ...(values.quick ? [1] : [1, 4, 16]).map((clients) => ({
    size: 1024 * MIB,
    clients,
    operations: count(2, clients),
  })),
]

const cellName = ({ size, clients }: Cell) => `${sizeName(size)}/${clients}`
const CELLS =
  values.cell?.map((wanted) => {
    const found = ALL_CELLS.find((cell) => cellName(cell) === wanted)
    if (!found) throw new Error(`no cell ${wanted}; there are ${ALL_CELLS.map(cellName).join(', ')}`)
    return found
  }) ?? ALL_CELLS

interface Subject {
  readonly name: string
  readonly start: (folder: string) => Promise<MeasuredServer>
  readonly path: (name: string) => string
}

const SUBJECTS: readonly Subject[] = [
  {
    name: 'bare',
    start: (folder) => startMeasured(['test/bench/bare-server.ts', folder]),
    path: (name) => `/${name}`,
  },
  {
    name: 'bucket',
    start: (folder) => startBucketServer(join(folder, 'data')),
    path: (name) => `/v1/buckets/bench/artifacts/cells/versions/${name}`,
  },
]

interface Row {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  readonly memory: number
  readonly cpu: number
}

async function inFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(base, 'run-'))
  try {
    return await act(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Stores, then fetches the same artifacts, on a fresh server over an empty folder. */
const runCell = (subject: Subject, cell: Cell): Promise<{ store: Row; fetch: Row }> =>
  inFolder(async (folder) => {
    const server = await subject.start(folder)
    try {
      // Large payloads are the same under different names: generating each one would measure the generator.
      const shared = cell.size > MIB ? payload(cell.size, 0) : undefined
      const payloads = Array.from(
        { length: cell.operations },
        (_, index) => shared ?? payload(cell.size, index),
      )
      const url = (name: string) => `${server.origin}${subject.path(name)}`
      const warm = payload(KIB, -1)
      const warmUp = { size: KIB, clients: cell.clients, operations: 100 }
      await measure(warmUp, (agent, index) => put(agent, url(`warm-${index}`), warm))
      const observed = async (act: Parameters<typeof measure>[1]): Promise<Row> => {
        server.resetPeak()
        const before = server.cpuSeconds()
        const result = await measure(cell, act)
        return { ...result, memory: server.peakMemory(), cpu: server.cpuSeconds() - before }
      }
      const store = await observed((agent, index) => put(agent, url(`v${index}`), payloads[index] ?? warm))
      const fetch = await observed((agent, index) => get(agent, url(`v${index}`), cell.size))
      return { store, fetch }
    } finally {
      await server.stop()
    }
  })

/** The speed of a disk varies from second to second: small cells run several times, the two servers in turn. */
const rounds = ({ size }: Cell) => (values.quick || size >= 1024 * MIB ? 1 : size >= 256 * MIB ? 3 : 5)
/** The round of the median rate. */
const median = (rows: Row[]) => rows.sort((a, b) => a.rate - b.rate)[Math.floor(rows.length / 2)]

const speed = (row: Row, size: number) =>
  size >= 256 * MIB ? `${((row.rate * size) / MIB).toFixed(0)} MiB/s` : `${row.rate.toFixed(0)} ops/s`

console.log(
  `${cpus().length} cores (${cpus()[0]?.model}), ${(totalmem() / 1024 / MIB).toFixed(0)} GiB, Node ${process.version}, ${base}\n`,
)
if (wants('floors'))
  await inFolder(async (folder) => {
    console.log(`floor: SHA-256 alone          ${sha256Rate().toFixed(0)} MiB/s`)
    console.log(`floor: 1 KiB synced and named ${(await syncedFileRate(folder)).toFixed(0)} files/s`)
    console.log(`floor: 1 GiB written, synced  ${(await syncedWriteRate(folder)).toFixed(0)} MiB/s\n`)
  })

if (['targets', 'cells', 'client', 'growth'].some(wants)) execFileSync(process.execPath, ['tools/build.mjs'])
if (wants('targets')) await inFolder((folder) => targets(folder, values.quick === true, values.target))

if (wants('cells')) {
  console.log('| what | size | clients | bare | bucket | ratio | p50 ms | p99 ms | peak MiB | CPU s (bare) |')
  console.log('|---|---|---|---|---|---|---|---|---|---|')
  for (const cell of CELLS) {
    const seen = new Map(SUBJECTS.map(({ name }) => [name, [] as Awaited<ReturnType<typeof runCell>>[]]))
    for (let round = 0; round < rounds(cell); round++)
      for (const subject of SUBJECTS) seen.get(subject.name)?.push(await runCell(subject, cell))
    for (const what of ['store', 'fetch'] as const) {
      const [floor, ours] = SUBJECTS.map(({ name }) => median((seen.get(name) ?? []).map((row) => row[what])))
      if (!floor || !ours) continue
      const columns = [
        what,
        sizeName(cell.size),
        cell.clients,
        speed(floor, cell.size),
        speed(ours, cell.size),
        (ours.rate / floor.rate).toFixed(2),
        ours.p50.toFixed(2),
        ours.p99.toFixed(2),
        ours.memory.toFixed(0),
        `${ours.cpu.toFixed(2)} (${floor.cpu.toFixed(2)})`,
      ]
      console.log(`| ${columns.join(' | ')} |`)
    }
  }
}

if (wants('client')) await inFolder((folder) => clients(folder, values.quick ? 128 : 1024))
if (wants('growth'))
  await inFolder((folder) => growth(folder, values.quick ? 100_000 : 1_000_000, values.target))
if (wants('rebuild')) await inFolder((folder) => ledgerRebuild(folder))
if (wants('cold-start')) await coldStarts()
if (wants('start-up')) startUps(base)
