/** A large blob that is poured has the bytes of the file, for any writer that obeys the contract, and buffers are never shared too early. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isPourable, type Pourable } from '../../../lib/flow/pourable.ts'
import { readFile } from '../../../lib/local/blob-reader.ts'
import { someBytes } from '../../support/fake-artifacts.ts'

const bytes = someBytes(3_000_001)
let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-reader-'))
  path = join(folder, 'blob')
  writeFileSync(path, bytes)
})
afterEach(() => rmSync(folder, { recursive: true }))

async function open(first: number, last: number, signal?: AbortSignal): Promise<Pourable> {
  const stream = await readFile(path, { first, last }, signal)
  if (!isPourable(stream)) return expect.fail('a large range can be poured')
  return stream
}

/** A writer that reads a chunk some turns after it was given it, as a socket does. */
async function poured(stream: Pourable, turns: number): Promise<Buffer> {
  const received: Uint8Array[] = []
  await stream.pour(async (chunk) => {
    for (let at = 0; at < turns; at += 1) await turn()
    received.push(Buffer.from(chunk)) // a slice of a Buffer would share its memory
  })
  return Buffer.concat(received)
}

describe('a large blob', () => {
  it.each([
    ['whole', 0, bytes.byteLength - 1],
    ['a range', 700_000, 1_500_000],
    ['a range that ends with a buffer', 0, 2 * 256 * 1024 - 1],
  ])('is poured with the right bytes, several times at once (%s)', async (_, first, last) => {
    const expected = Buffer.from(bytes.subarray(first, last + 1))
    const copies = await Promise.all(
      [0, 1, 5, 20].map(async (turns) => poured(await open(first, last), turns)),
    )
    for (const copy of copies) expect(Buffer.compare(copy, expected)).toBe(0)
  })

  it('ends with the error of a writer, and its buffers are not used by another stream', async () => {
    const late: { readonly chunk: Uint8Array; readonly copy: Uint8Array }[] = []
    const failing = await open(0, bytes.byteLength - 1)
    const pouring = failing.pour(async (chunk) => {
      late.push({ chunk, copy: Buffer.from(chunk) })
      throw new Error('disconnected')
    })
    await expect(pouring).rejects.toThrow('disconnected')
    expect(Buffer.compare(await poured(await open(0, bytes.byteLength - 1), 1), Buffer.from(bytes))).toBe(0)
    for (const { chunk, copy } of late) expect(Buffer.compare(chunk, copy)).toBe(0)
  })

  it('that becomes shorter is an error, never an early end', async () => {
    const stream = await open(0, bytes.byteLength - 1)
    truncateSync(path, 1_000_000)
    await expect(poured(stream, 0)).rejects.toMatchObject({ code: 'blob_lost' })
  })

  it('stops when its signal aborts', async () => {
    const aborted = new AbortController()
    const stream = await open(0, bytes.byteLength - 1, aborted.signal)
    let chunks = 0
    const pouring = stream.pour(async () => {
      chunks += 1
      aborted.abort(new Error('gone'))
    })
    await expect(pouring).rejects.toThrow('gone')
    expect(chunks).toBe(1)
  })
})
