/**
 * Uploads that are killed and resumed: real processes, a real server, a large file. The server's operation log shows the
 * acknowledged parts: one line with status 200 for each.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MIB, partCount, partSize } from '../../lib/domain/limits.ts'
import { IS_EXHAUSTIVE } from '../support/exhaustive.ts'
import { BUCKET } from '../support/program.ts'
import { someBytes } from '../support/random-bytes.ts'

/** Memory limit of each process, in bytes. */
const MEMORY = 250 * MIB
/**
 * In an exhaustive run larger than the memory limit, so that no process can hold it whole. Larger sizes, such as 5 GiB, can be set by
 * hand.
 */
const SIZE = Number(process.env.RESUME_TEST_BYTES ?? (IS_EXHAUSTIVE ? 272 : 96) * MIB)

interface Operation {
  readonly operation: string
  readonly method: string
  readonly status: number
  readonly size?: number
}

let folder: string
let url: string
let server: ChildProcessWithoutNullStreams
let operations: Operation[] = []
/** The log line of each part that the server acknowledged. */
let onAcknowledged = () => {}

const acknowledged = () =>
  operations.filter(
    ({ operation, method, status }) => operation === 'blob' && method === 'PUT' && status === 200,
  )

function start(args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [...BUCKET, ...args], {
    env: { PATH: process.env.PATH, BUCKET_URL: url, TMPDIR: folder },
  })
  child.stdin.end()
  return child
}

async function bucket(...args: string[]) {
  const child = start(args)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  const [exit] = await once(child, 'close')
  return { exit, stdout, stderr }
}

/** Peak memory of a process in bytes; 0 after it has ended, and where the system does not report it. */
async function peakMemory({ pid }: { pid?: number | undefined }): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
}

/** All blocks differ, so that a part in the wrong place is noticed. */
async function generate(path: string, size: number): Promise<void> {
  const block = someBytes(partSize(size))
  const file = await open(path, 'wx')
  for (let at = 0; at < size; at += block.byteLength) {
    block.writeBigUInt64LE(BigInt(at), 0)
    await file.write(block.subarray(0, Math.min(block.byteLength, size - at)))
  }
  await file.close()
}

/** Stores in a process, and kills it as soon as the server has acknowledged `parts` parts in total. */
async function killedPut(ref: string, path: string, parts: number): Promise<number> {
  const child = start(['put', ref, path, '--quiet'])
  const closed = once(child, 'close')
  let peak = 0
  await new Promise<void>((reached, failed) => {
    void closed.then(([exit]) => failed(new Error(`ended with ${exit} before it could be killed`)))
    onAcknowledged = () => {
      if (acknowledged().length < parts) return
      onAcknowledged = () => {}
      peakMemory(child).then((memory) => {
        peak = memory
        child.kill('SIGKILL')
        reached()
      }, failed)
    }
  })
  expect(await closed).toEqual([null, 'SIGKILL'])
  return peak
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-resume-'))
  server = start(['serve', '--port', '0', '--data-dir', join(folder, 'data'), '--max-artifact-bytes', '8GiB'])
  createInterface(server.stderr).on('line', (line) => {
    if (!line.startsWith('{')) return
    operations.push(JSON.parse(line))
    onAcknowledged()
  })
  const [line] = await once(server.stdout, 'data')
  url = /http:\S+/.exec(String(line))?.[0] ?? ''
}, 30_000)
afterAll(async () => {
  server.kill()
  await once(server, 'close')
  await rm(folder, { recursive: true })
})

describe('an upload that is killed', () => {
  it('resumes in a second process that has only the file and the ref', { timeout: 120_000 }, async () => {
    const size = 5 * 16 * MIB - 1
    const ref = 'b/second/v1'
    await generate(join(folder, 'first'), size)
    operations = []
    await killedPut(ref, join(folder, 'first'), 2)
    await mkdir(join(folder, 'elsewhere'))
    const copy = join(folder, 'elsewhere', 'copy')
    await copyFile(join(folder, 'first'), copy)
    await rm(join(folder, 'first'))

    const shown = await bucket('uploads', ref, '--file', copy, '--json')
    const { state, received, part_count } = JSON.parse(shown.stdout)
    expect({ state, part_count }).toEqual({ state: 'open', part_count: 5 })
    expect(received.length).toBeGreaterThanOrEqual(2)
    expect((await bucket('show', ref)).exit).toBe(3)

    const put = await bucket('put', ref, copy, '--json')
    expect(JSON.parse(put.stdout)).toMatchObject({ created: true, entry: { size } })
    expect(acknowledged()).toHaveLength(5)
    expect((await bucket('put', ref, copy, '--json')).stdout).toContain('"created":false')
    expect(acknowledged()).toHaveLength(5)
    expect((await bucket('uploads', ref, '--file', copy)).stdout).toMatch(/^state +committed$/m)
    expect((await bucket('uploads', ref, '--file', copy, '--abort')).exit).toBe(4)
  })

  it(`three times completes${IS_EXHAUSTIVE ? ' in bounded memory' : ''}, and sends no acknowledged part twice`, {
    timeout: 600_000,
  }, async () => {
    const path = join(folder, 'large')
    const ref = 'b/large/v1'
    const parts = partCount(SIZE)
    await generate(path, SIZE)
    operations = []
    const peaks: number[] = []
    for (const share of [0.2, 0.4, 0.6]) peaks.push(await killedPut(ref, path, Math.floor(parts * share)))

    const last = start(['put', ref, path])
    let stdout = ''
    last.stdout.on('data', (text) => (stdout += text))
    last.stderr.resume()
    let peak = 0
    onAcknowledged = () => {
      void peakMemory(last).then((memory) => {
        peak = Math.max(peak, memory)
      })
    }
    const [exit] = await once(last, 'close')
    onAcknowledged = () => {}
    expect(exit).toBe(0)
    expect(acknowledged()).toHaveLength(parts)
    expect(acknowledged().reduce((sum, { size = 0 }) => sum + size, 0)).toBe(SIZE)

    const fetched = join(folder, 'fetched')
    const got = await bucket('get', stdout.trim(), '-o', fetched)
    expect(got.exit).toBe(0)
    const memory = { clients: [...peaks, peak], server: await peakMemory(server) }
    if (process.env.RESUME_TEST_BYTES) console.log(JSON.stringify(memory))
    expect(Math.max(...memory.clients, memory.server)).toBeLessThan(MEMORY)
  })
})
