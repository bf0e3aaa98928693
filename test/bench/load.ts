/** Clients that store and fetch as fast as responses arrive, over keep-alive connections; and their measurements. */
import { createHash, randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { performance } from 'node:perf_hooks'

const BLOCK = 1024 * 1024
const block = randomBytes(BLOCK)

export interface Cell {
  readonly size: number
  readonly clients: number
  readonly operations: number
}

export interface Measured {
  /** Operations a second. */
  readonly rate: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

/** Bytes of one size, reproducible from a seed, and never in memory as a whole. */
export interface Payload {
  readonly size: number
  readonly digest: string
  chunks(): Iterable<Uint8Array>
}

export function payload(size: number, seed: number): Payload {
  function* chunks() {
    const head = Buffer.alloc(Math.min(size, 8))
    if (head.length === 8) head.writeDoubleBE(seed)
    yield head
    for (let left = size - head.length; left > 0; left -= BLOCK)
      yield left < BLOCK ? block.subarray(0, left) : block
  }
  const hash = createHash('sha256')
  for (const chunk of chunks()) hash.update(chunk)
  return { size, digest: `sha256:${hash.digest('hex')}`, chunks }
}

/** Runs `operations` calls of `act`, `clients` of them concurrently. */
export async function measure(
  cell: Cell,
  act: (agent: Agent, index: number) => Promise<void>,
): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: cell.clients })
  const durations: number[] = []
  let next = 0
  const client = async () => {
    for (let index = next++; index < cell.operations; index = next++) {
      const from = performance.now()
      await act(agent, index)
      durations.push(performance.now() - from)
    }
  }
  const from = performance.now()
  await Promise.all(Array.from({ length: cell.clients }, client))
  const seconds = (performance.now() - from) / 1000
  agent.destroy()
  durations.sort((a, b) => a - b)
  const at = (quantile: number) =>
    durations[Math.min(durations.length - 1, Math.floor(durations.length * quantile))] ?? 0
  return { rate: cell.operations / seconds, p50: at(0.5), p99: at(0.99) }
}

/** @param headers that declare the digest. */
export function put(
  agent: Agent,
  url: string,
  { size, digest, chunks }: Payload,
  headers: Readonly<Record<string, string>> = { 'X-Artifact-Digest': digest },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { agent, method: 'PUT', headers: { ...headers, 'Content-Length': size } },
      (response) => {
        response.resume()
        response.on('end', () =>
          response.statusCode === 201 || response.statusCode === 200
            ? resolve()
            : reject(new Error(`${url}: ${response.statusCode}`)),
        )
      },
    ).on('error', reject)
    const iterator = chunks()[Symbol.iterator]()
    const write = () => {
      for (let step = iterator.next(); !step.done; step = iterator.next())
        if (!outgoing.write(step.value)) return void outgoing.once('drain', write)
      outgoing.end()
    }
    write()
  })
}

/** @param size the expected number of bytes; any number if omitted. */
export function get(
  agent: Agent,
  url: string,
  size?: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    request(url, { agent, headers }, (response) => {
      let received = 0
      response.on('data', (chunk: Buffer) => {
        received += chunk.length
      })
      response.on('end', () =>
        response.statusCode === 200 && (size === undefined || received === size)
          ? resolve()
          : reject(new Error(`${url}: ${response.statusCode}, ${received} bytes`)),
      )
      response.on('error', reject)
    })
      .on('error', reject)
      .end()
  })
}
