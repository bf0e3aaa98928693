/**
 * The targets: each a ratio of Bucket's rate to a floor that is measured in the same run, in turn with it, and the rate of versitygw, an
 * S3 server in Go that verifies what it stores, where it can be installed. All servers run during all rounds, after a warm-up; a
 * cell shows the medians of its rounds.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import type { Agent } from 'node:http'
import { join } from 'node:path'
import { AwsV4Signer } from 'aws4fetch'
import { freePort } from '../integration/emulator.ts'
import { gatewayArguments, installVersityGateway } from '../integration/install-versitygw.ts'
import { syncedAppendRate } from './floors.ts'
import { get, measure, type Payload, payload, put } from './load.ts'
import { startMeasured } from './server-process.ts'

const KIB = 1024
const MIB = 1024 * KIB

type Act = (agent: Agent, index: number) => Promise<void>

/** One server under load. Names of a store must be new. */
interface Peer {
  store(name: string, bytes: Payload): Promise<Act> | Act
  fetch(name: string, size: number): Promise<Act> | Act
  stop(): Promise<void>
}

async function startBucket(folder: string): Promise<Peer> {
  const args = ['bin/bucket.ts', 'serve', '--port', '0', '--data-dir', join(folder, 'bucket')]
  const server = await startMeasured([...args, '--max-artifact-bytes', '2GiB'])
  const url = (name: string) => `${server.origin}/v1/buckets/bench/artifacts/targets/versions/${name}`
  return {
    store: (name, bytes) => (agent) => put(agent, url(name), bytes),
    fetch: (name, size) => (agent) => get(agent, url(name), size),
    stop: server.stop,
  }
}

async function startFloor(folder: string, largeBytes: number): Promise<Peer> {
  const path = join(folder, 'floor')
  mkdirSync(path)
  const server = await startMeasured(['test/bench/floor-server.ts', path, String(largeBytes)])
  const url = (size: number) => `${server.origin}/${size > MIB ? 'large' : 'small'}`
  return {
    store: (_, bytes) => (agent) => put(agent, url(bytes.size), bytes),
    fetch: (_, size) => (agent) => get(agent, url(size), size),
    stop: server.stop,
  }
}

async function startGateway(folder: string): Promise<Peer> {
  const program = await installVersityGateway(folder)
  const objects = join(folder, 'objects')
  mkdirSync(objects)
  const port = await freePort()
  const child = spawn(program, gatewayArguments(port, objects), { stdio: 'ignore' })
  const origin = `http://127.0.0.1:${port}`
  const ended = once(child, 'exit')
  /** Signed before the measurement. */
  async function sign(method: string, path: string, sha256: string): Promise<Record<string, string>> {
    const signer = new AwsV4Signer({
      ...{ method, url: `${origin}${path}`, service: 's3', region: 'us-east-1' },
      ...{ accessKeyId: 'test', secretAccessKey: 'test', headers: { 'x-amz-content-sha256': sha256 } },
    })
    return Object.fromEntries((await signer.sign()).headers)
  }
  const emptySha256 = payload(0, 0).digest.slice('sha256:'.length)
  for (;;) {
    const headers = await sign('PUT', '/bench', emptySha256)
    const made = await fetch(`${origin}/bench`, { method: 'PUT', headers }).catch(() => undefined)
    if (made?.ok) break
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    async store(name, bytes) {
      const headers = await sign('PUT', `/bench/${name}`, bytes.digest.slice('sha256:'.length))
      return (agent) => put(agent, `${origin}/bench/${name}`, bytes, headers)
    },
    async fetch(name, size) {
      const headers = await sign('GET', `/bench/${name}`, emptySha256)
      return (agent) => get(agent, `${origin}/bench/${name}`, size, headers)
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

interface Target {
  readonly what: 'store' | 'fetch'
  readonly size: number
  readonly clients: number
  readonly operations: number
  readonly rounds: number
  readonly floorName: string
  readonly least: number
}

const medianOf = (rates: readonly number[]): number => rates.toSorted((a, b) => a - b)[rates.length >> 1] ?? 0

/** @param isQuick fewer and smaller operations, for a look during work. */
export async function targets(folder: string, isQuick: boolean): Promise<void> {
  const large = (isQuick ? 128 : 1024) * MIB
  const small = { size: KIB, rounds: isQuick ? 3 : 7 }
  const cells: readonly Target[] = [
    {
      ...{ what: 'fetch', ...small, clients: 16, operations: isQuick ? 4_000 : 20_000, least: 0.9 },
      floorName: 'bare Node, same headers',
    },
    {
      ...{ what: 'store', ...small, clients: 16, operations: isQuick ? 2_000 : 8_000, least: 0.85 },
      floorName: 'bare Node that stores nothing',
    },
    {
      ...{ what: 'store', ...small, clients: 1, operations: isQuick ? 500 : 2_000, least: 0.5 },
      floorName: 'append and fdatasync alone',
    },
    {
      ...{ what: 'fetch', size: large, clients: 1, operations: 2, rounds: isQuick ? 3 : 5, least: 0.8 },
      floorName: 'bare Node, reused buffers',
    },
    {
      ...{ what: 'store', size: large, clients: 1, operations: 1, rounds: isQuick ? 3 : 5, least: 0.95 },
      floorName: 'bare Node that hashes and writes',
    },
  ]
  const gateway = await startGateway(folder).catch((error: unknown) => {
    console.log(`versitygw is not measured: ${error instanceof Error ? error.message : error}\n`)
    return undefined
  })
  const bucket = await startBucket(folder)
  const floor = await startFloor(folder, large)
  try {
    await warmUp([floor, bucket, ...(gateway ? [gateway] : [])], isQuick ? 3_000 : 10_000)
    console.log('| target | clients | floor | floor rate | Bucket | ratio | target | versitygw |')
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

/** @returns operations a second. */
async function run(
  peer: Peer,
  { what, size, clients, operations }: Pick<Target, 'what' | 'size' | 'clients' | 'operations'>,
): Promise<number> {
  const shared = size > MIB ? payload(size, 0) : undefined
  const acts: Act[] = []
  if (what === 'store')
    for (let at = 0; at < operations; at += 1) {
      const name = newName()
      acts.push(await peer.store(name, shared ?? payload(size, names)))
    }
  else {
    // As many different artifacts as a busy server fetches again and again.
    const stored = Array.from({ length: size > MIB ? 1 : 500 }, newName)
    const stores: Act[] = []
    for (const name of stored) stores.push(await peer.store(name, shared ?? payload(size, 0)))
    const cell = { size, clients, operations: stores.length }
    await measure(cell, (agent, index) => stores[index]?.(agent, index) ?? Promise.resolve())
    for (let at = 0; at < operations; at += 1)
      acts.push(await peer.fetch(stored[at % stored.length] ?? '', size))
  }
  const cell = { size, clients, operations }
  const { rate } = await measure(cell, (agent, index) => acts[index]?.(agent, index) ?? Promise.resolve())
  return rate
}

async function measureTarget(
  folder: string,
  cell: Target,
  { floor, bucket, gateway }: { floor: Peer; bucket: Peer; gateway: Peer | undefined },
): Promise<string> {
  const rates = { floor: [] as number[], bucket: [] as number[], gateway: [] as number[] }
  const isAppend = cell.what === 'store' && cell.clients === 1 && cell.size === KIB
  for (let round = 0; round < cell.rounds; round += 1) {
    rates.floor.push(isAppend ? syncedAppendRate(folder, cell.operations) : await run(floor, cell))
    rates.bucket.push(await run(bucket, cell))
    if (gateway) rates.gateway.push(await run(gateway, cell))
  }
  const speed = (rate: number) =>
    cell.size > MIB ? `${((rate * cell.size) / MIB).toFixed(0)} MiB/s` : `${rate.toFixed(0)}/s`
  const ratio = medianOf(rates.bucket) / medianOf(rates.floor)
  const size = cell.size > MIB ? `${cell.size / MIB} MiB` : `${cell.size / KIB} KiB`
  const columns = [
    ...[`${cell.what} ${size}`, cell.clients, cell.floorName, speed(medianOf(rates.floor))],
    ...[
      speed(medianOf(rates.bucket)),
      ratio.toFixed(2),
      `≥ ${cell.least}${ratio < cell.least ? ' (missed)' : ''}`,
    ],
    gateway ? speed(medianOf(rates.gateway)) : 'not measured',
  ]
  return `| ${columns.join(' | ')} |`
}
