/**
 * The targets: each a ratio of Bucket's rate to a floor that is measured in the same run, in turn with it, and the rate of versitygw, an
 * S3 server in Go that verifies what it stores, where it can be installed. All servers run during all rounds, after a warm-up; a
 * cell shows the medians of its rounds.
 */
import { syncedAppendRate } from './floors.ts'
import { get, measure, type Payload, payload, put } from './load.ts'
import { type Address, type Peer, startBucket, startFloor, startGateway } from './peers.ts'
import { smallRate } from './small-load.ts'

const KIB = 1024
const MIB = 1024 * KIB

interface Target {
  readonly what: 'store' | 'fetch'
  readonly size: number
  readonly clients: number
  readonly operations: number
  readonly rounds: number
  /** The floor in words. */
  readonly floor: string
  /** The least ratio. */
  readonly least: number
}

/** A floor without a server. */
const APPEND = 'append and fdatasync alone'

function targetsOf(isQuick: boolean): readonly Target[] {
  const small = { size: KIB, rounds: isQuick ? 5 : 9 }
  const large = { size: (isQuick ? 128 : 1024) * MIB, clients: 1, rounds: isQuick ? 3 : 5 }
  const count = (full: number) => (isQuick ? full / 4 : full)
  return [
    {
      ...{ what: 'fetch', ...small, clients: 16, operations: count(40_000) },
      ...{ floor: 'bare Node, same headers', least: 0.9 },
    },
    {
      ...{ what: 'store', ...small, clients: 16, operations: count(8_000) },
      ...{ floor: 'bare Node that stores nothing', least: 0.85 },
    },
    {
      ...{ what: 'store', ...small, clients: 1, operations: count(2_000) },
      ...{ floor: APPEND, least: 0.5 },
    },
    {
      ...{ what: 'fetch', ...large, operations: 2 },
      ...{ floor: 'bare Node, reused buffers', least: 0.8 },
    },
    {
      ...{ what: 'store', ...large, operations: 1 },
      ...{ floor: 'bare Node that hashes and writes', least: 0.95 },
    },
  ]
}

const nameOf = ({ what, size, clients }: Target) =>
  `${what} ${size > MIB ? `${size / MIB} MiB` : `${size / KIB} KiB`}/${clients}`

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/**
 * @param isQuick fewer and smaller operations, for a look during work.
 * @param only the beginnings of the names of targets to measure, as `fetch 1 KiB`; all by default.
 */
export async function targets(
  folder: string,
  isQuick: boolean,
  only: readonly string[] = [''],
): Promise<void> {
  const cells = targetsOf(isQuick).filter((cell) => only.some((start) => nameOf(cell).startsWith(start)))
  const gateway = await startGateway(folder).catch((error: unknown) => {
    console.log(`versitygw is not measured: ${error instanceof Error ? error.message : error}\n`)
    return undefined
  })
  const bucket = await startBucket(folder)
  const floor = await startFloor(folder, Math.max(...cells.map(({ size }) => size)))
  try {
    await warmUp([floor, bucket, ...(gateway ? [gateway] : [])], 10_000)
    console.log(
      '| target | floor | floor rate | Bucket | ratio | least | versitygw | server µs an operation: floor, Bucket, versitygw |',
    )
    console.log('|---|---|---|---|---|---|---|---|')
    for (const cell of cells) console.log(await measureTarget(folder, cell, { floor, bucket, gateway }))
  } finally {
    await Promise.all([bucket.stop(), floor.stop(), gateway?.stop()])
  }
  console.log('')
}

let names = 0
const newName = () => `v${names++}`

/** A server that has just started compiles its code while it answers. */
async function warmUp(peers: readonly Peer[], operations: number): Promise<void> {
  for (const peer of peers)
    for (const what of ['store', 'fetch'] as const)
      await run(peer, { what, size: KIB, clients: 16, operations })
}

type Load = Pick<Target, 'what' | 'size' | 'clients' | 'operations'>

/** The result of one round. */
interface Round {
  /** Operations a second. */
  readonly rate: number
  /** Processor time of the server for one operation, in microseconds. */
  readonly cost: number
}

function run(peer: Peer, load: Load): Promise<Round> {
  return load.what === 'store' ? runStores(peer, load) : runFetches(peer, load)
}

async function runStores(peer: Peer, { size, clients, operations }: Omit<Load, 'what'>): Promise<Round> {
  const shared = size > MIB ? payload(size, 0) : undefined
  const stores: Operation[] = []
  for (let at = 0; at < operations; at += 1) {
    const bytes = shared ?? payload(size, names)
    stores.push({ ...(await peer.store(newName(), bytes)), bytes })
  }
  return perform(peer, stores, size, clients)
}

async function runFetches(peer: Peer, { size, clients, operations }: Omit<Load, 'what'>): Promise<Round> {
  // As many different artifacts as a busy server fetches again and again.
  const names = Array.from({ length: size > MIB ? 1 : 500 }, newName)
  const bytes = payload(size, 0)
  const stores: Operation[] = []
  for (const name of names) stores.push({ ...(await peer.store(name, bytes)), bytes })
  await perform(peer, stores, size, clients)
  // Once for each name: signing a request takes longer than serving it.
  const addresses = await Promise.all(names.map(async (name) => await peer.fetch(name, size)))
  // The target is a fetch that is repeated: the first one of each artifact is not measured.
  if (size <= MIB) await perform(peer, addresses, size, clients)
  const fetches = Array.from({ length: operations }, (_, at) => addresses[at % addresses.length])
  return perform(
    peer,
    fetches.filter((address) => address !== undefined),
    size,
    clients,
  )
}

/** A store of `bytes`, or a fetch. */
type Operation = Address & { readonly bytes?: Payload }

/** @param size of each artifact in bytes. */
async function perform(
  peer: Peer,
  operations: readonly Operation[],
  size: number,
  clients: number,
): Promise<Round> {
  const rateOf = size > MIB ? largeRate : smallRateOf
  const before = peer.cpuSeconds()
  const rate = await rateOf(peer, operations, size, clients)
  return { rate, cost: ((peer.cpuSeconds() - before) * 1e6) / operations.length }
}

const smallRateOf: typeof largeRate = ({ status }, operations, size, clients) =>
  smallRate(
    operations.map(({ url, headers, bytes }) =>
      bytes === undefined
        ? { method: 'GET', url, headers, status: 200, size }
        : { method: 'PUT', url, headers, content: Buffer.concat([...bytes.chunks()]), status },
    ),
    clients,
  )

async function largeRate(
  _: Peer,
  operations: readonly Operation[],
  size: number,
  clients: number,
): Promise<number> {
  const { rate } = await measure({ size, clients, operations: operations.length }, async (agent, index) => {
    const operation = operations[index]
    if (operation === undefined) return
    const { url, headers, bytes } = operation
    await (bytes ? put(agent, url, bytes, headers) : get(agent, url, size, headers))
  })
  return rate
}

const speed = (rate: number, size: number) =>
  size > MIB ? `${((rate * size) / MIB).toFixed(0)} MiB/s` : `${rate.toFixed(0)}/s`

async function measureTarget(
  folder: string,
  cell: Target,
  { floor, bucket, gateway }: { floor: Peer; bucket: Peer; gateway: Peer | undefined },
): Promise<string> {
  const rounds = { floor: [] as Round[], bucket: [] as Round[], gateway: [] as Round[] }
  for (let round = 0; round < cell.rounds; round += 1) {
    rounds.floor.push(
      cell.floor === APPEND
        ? { rate: syncedAppendRate(folder, cell.operations), cost: 0 }
        : await run(floor, cell),
    )
    rounds.bucket.push(await run(bucket, cell))
    if (gateway) rounds.gateway.push(await run(gateway, cell))
  }
  const median = (of: readonly Round[], what: keyof Round) => medianOf(of.map((round) => round[what]))
  const ratio = median(rounds.bucket, 'rate') / median(rounds.floor, 'rate')
  const speedOf = (of: keyof typeof rounds) => speed(median(rounds[of], 'rate'), cell.size)
  const columns = [
    ...[nameOf(cell), cell.floor, speedOf('floor'), speedOf('bucket'), ratio.toFixed(2)],
    `≥ ${cell.least}${ratio < cell.least ? ' (missed)' : ''}`,
    gateway ? speedOf('gateway') : 'not measured',
    Object.values(rounds)
      .map((of) => median(of, 'cost').toFixed(0))
      .join(', '),
  ]
  return `| ${columns.join(' | ')} |`
}
