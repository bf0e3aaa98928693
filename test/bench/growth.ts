/**
 * What a large ledger costs: a store, a fetch and a page of the list at 1,000 entries and at 1,000,000, on two servers that take turns;
 * and the memory, start, check and listing of the large one. Entries are versions of one artifact, or artifacts of one version; or
 * 200,000 versions of one artifact whose blobs are files, all of them in one folder.
 * It runs the built server, because the loader of a checkout needs memory of its own.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import type { Agent } from 'node:http'
import { join, resolve } from 'node:path'
import { parseRef } from '../../lib/domain/refs.ts'
import { formatCursor } from '../../lib/http/cursor.ts'
import { versionPath, versionsPath } from '../../lib/protocol/routes.ts'
import { fillLedger } from './fill-ledger.ts'
import { get, measure, payload, put } from './load.ts'
import { type MeasuredServer, startBucketServer } from './server-process.ts'

const BUCKET = resolve('dist/bin/bucket.js')
const KIB = 1024
const SMALL = 1_000
const ROUNDS = 5
/** The first rounds compile the code that the others measure. */
const WARM_UP = 2
/** One batch of the index. */
const STORES = 512

interface Shape {
  readonly name: string
  readonly nameOf: (index: number) => string
  /** Of each artifact, in bytes. */
  readonly size: number
  /** Entries of the large ledger, as a share of what is asked for. */
  readonly share: number
}

const SHAPES: readonly Shape[] = [
  { name: 'versions of one artifact', nameOf: (index) => `bench/growth/v${index}`, size: KIB, share: 1 },
  { name: 'artifacts', nameOf: (index) => `bench/artifact-${index}/v1`, size: KIB, share: 1 },
  { name: 'files', nameOf: (index) => `bench/files/v${index}`, size: 20 * KIB, share: 0.2 },
]

/** One kind of request: `index` counts through all rounds, `entries` are in the ledger. */
type Act = (agent: Agent, origin: string, shape: Shape, entries: number, index: number) => Promise<void>

/** Visits every entry once, in an order in which neighbours are far apart. */
const anyOf = (entries: number, index: number) => (index * 7_368_787) % entries

const fetchOf = (agent: Agent, origin: string, { nameOf, size }: Shape, index: number) =>
  get(agent, `${origin}${versionPath(parseRef(nameOf(index)))}`, size)

/** The order matters: no entry is in a cache before the first fetch of it. A page fills none. */
const OPERATIONS: readonly { readonly name: string; readonly count: number; readonly act: Act }[] = [
  {
    name: 'page of 100',
    count: 100,
    act: (agent, origin, { nameOf }, entries, index) => {
      // In the order of their names, at least 100 versions follow after those that begin with 1 to 8.
      const { version, ...key } = parseRef(nameOf(entries / 10 + anyOf(entries * 0.8, index)))
      const cursor = nameOf(0).startsWith(`bench/${key.artifactId}/`)
        ? `?cursor=${formatCursor(key, version)}`
        : ''
      return get(agent, `${origin}${versionsPath(key)}${cursor}`)
    },
  },
  {
    name: 'first fetch of a version',
    count: 140,
    act: (agent, origin, shape, entries, index) => fetchOf(agent, origin, shape, anyOf(entries, index)),
  },
  {
    name: 'fetch of one of 200',
    count: 400,
    act: (agent, origin, shape, _, index) => fetchOf(agent, origin, shape, index % 200),
  },
  {
    name: 'store',
    count: STORES,
    act: (agent, origin, { nameOf, size }, entries, index) =>
      put(agent, `${origin}${versionPath(parseRef(nameOf(entries + index)))}`, payload(size, index)),
  },
]

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/**
 * @param entries of the large ledger.
 * @param only the beginnings of the names of shapes to measure; all by default.
 */
export async function growth(folder: string, entries: number, only: readonly string[] = ['']): Promise<void> {
  const shapes = SHAPES.filter(({ name }) => only.some((start) => name.startsWith(start)))
  for (const [at, shape] of shapes.entries()) {
    const bytes = randomBytes(shape.size)
    const small = join(folder, `small-${at}`)
    const large = join(folder, `large-${at}`)
    await fillLedger(small, { entries: SMALL, bytes, nameOf: shape.nameOf })
    const many = entries * shape.share
    const seconds = await fillLedger(large, { entries: many, bytes, nameOf: shape.nameOf })
    console.log(
      `\n${shape.name}: ${many} entries of ${shape.size / KIB} KiB, appended in ${seconds.toFixed(0)} s\n`,
    )
    await compare(shape, many, small, large)
    await tools(large)
    rmSync(large, { recursive: true })
  }
}

export async function compare(shape: Shape, entries: number, small: string, large: string): Promise<void> {
  const sides = [
    { entries: SMALL, server: await startBucketServer(small) },
    { entries, server: await startBucketServer(large) },
  ]
  const results = new Map(
    OPERATIONS.map(({ name }) => [name, sides.map(() => ({ cpu: [] as number[], p50: [] as number[] }))]),
  )
  const used = () => sides.map(({ server }) => describeMemory(server)).join(' and ')
  const fresh = used()
  for (const { name, count, act } of OPERATIONS)
    for (let round = 0; round < WARM_UP + ROUNDS; round++)
      for (const [side, { server, entries }] of sides.entries()) {
        const before = server.cpuNanoseconds()
        const { p50 } = await measure({ size: shape.size, clients: 1, operations: count }, (agent, index) =>
          act(agent, server.origin, shape, entries, round * count + index),
        )
        const result = results.get(name)?.[side]
        if (round < WARM_UP || !result) continue
        result.cpu.push((server.cpuNanoseconds() - before) / count / 1000)
        result.p50.push(p50)
      }
  console.log(
    `| 1 client | processor µs at ${SMALL} | at ${entries} | ratio | p50 ms at ${SMALL} | at ${entries} |`,
  )
  console.log('|---|---|---|---|---|---|')
  for (const [name, [few, many]] of results) {
    if (!few || !many) continue
    const cpu = [median(few.cpu), median(many.cpu)] as const
    const columns = [
      name,
      ...cpu.map((value) => value.toFixed(0)),
      (cpu[1] / cpu[0]).toFixed(2),
      median(few.p50).toFixed(2),
      median(many.p50).toFixed(2),
    ]
    console.log(`| ${columns.join(' | ')} |`)
  }
  console.log(`\nmemory of the two servers at start: ${fresh}; after these requests: ${used()}\n`)
  for (const { server } of sides) await server.stop()
}

const describeMemory = (server: MeasuredServer) => {
  const { own, files } = server.memory()
  return `${(own + files).toFixed(0)} MiB (${own.toFixed(0)} its own, ${files.toFixed(0)} of files)`
}

/** Measures the waits of the owner of a large folder, and the memory that they take. */
export async function tools(dataDir: string): Promise<void> {
  console.log('| | s | processor s | peak MiB |\n|---|---|---|---|')
  const row = (name: string, ...values: readonly number[]) =>
    console.log(`| ${[name, ...values.map((value) => value.toFixed(value < 50 ? 2 : 0))].join(' | ')} |`)
  const start = async (name: string) => {
    const from = performance.now()
    const server = await startBucketServer(dataDir)
    row(name, (performance.now() - from) / 1000, server.cpuSeconds(), server.peakMemory())
    await server.stop()
  }
  await start('start with a proven index')
  // As after a crash, once the index has taken a batch.
  rmSync(join(dataDir, 'index.mdb'))
  await start('start without an index')
  for (const command of [['fsck'], ['fsck', '--verify'], ['ls']]) {
    const { wall, cpu, peak } = costOf([...command, '--data-dir', dataDir])
    row(`bucket ${command.join(' ')}`, wall, cpu, peak)
  }
}

/** GNU time reports the peak of the process: `%M`, in KiB. */
function costOf(command: readonly string[]): { wall: number; cpu: number; peak: number } {
  const { stderr, status } = spawnSync(
    '/usr/bin/time',
    ['-f', '%e %U %S %M', process.execPath, BUCKET, ...command],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
  )
  if (status !== 0) throw new Error(`bucket ${command.join(' ')} failed: ${stderr}`)
  const [wall = Number.NaN, user = 0, system = 0, peak = 0] = (stderr.trim().split('\n').at(-1) ?? '')
    .split(' ')
    .map(Number)
  return { wall, cpu: user + system, peak: peak / 1024 }
}
