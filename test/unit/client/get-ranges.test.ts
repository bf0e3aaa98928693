import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient, type Progress } from '../../../lib/client/node.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { sha256, someBytes } from '../../support/random-bytes.ts'

const REF = 'prod-models/llama/v1'
/** Five ranges, the last of them short. */
const SIZE = 65 * MIB
const bytes = someBytes(SIZE)

let front: ClientFront
let bucket: BucketClient
let folder: string
let path: string

beforeEach(async () => {
  front = await startFront()
  front.put(REF, bytes)
  bucket = new BucketClient({ url: front.url, retry: { baseMs: 1 }, timeouts: { idleMs: 20_000 } })
  folder = await mkdtemp(join(tmpdir(), 'client-ranges-'))
  path = join(folder, 'model')
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})

const isWhole = async () => (await readFile(path)).equals(bytes)
const ranges = () => front.received.flatMap(({ headers }) => headers.range ?? [])

describe('the download of a large artifact', { timeout: 120_000 }, () => {
  it('uses several concurrent ranges, and is complete and verified', async () => {
    const told: Progress[] = []
    let open = 0
    let most = 0
    front.misbehave = (_, response) => {
      most = Math.max(most, ++open)
      response.once('close', () => open--)
      return false
    }
    const got = await bucket.download(REF, path, { onProgress: (progress) => told.push(progress) })
    expect(got).toEqual({ digest: sha256(bytes), size: SIZE, fetched: true })
    expect(await isWhole()).toBe(true)
    expect(ranges()).toEqual([
      ...[16, 32, 48].map((start) => `bytes=${start * MIB}-${(start + 16) * MIB - 1}`),
      `bytes=${64 * MIB}-${65 * MIB - 1}`,
    ])
    expect(most).toBeGreaterThan(1)
    expect(told).toContainEqual({ phase: 'downloading', bytes: SIZE, total: SIZE })
    expect(told.at(-1)).toMatchObject({ bytes: SIZE, total: SIZE })
  })

  it('continues within a range after its connection broke', async () => {
    let isBroken = false
    front.misbehave = (request) => {
      if (isBroken || !request.headers.range?.startsWith(`bytes=${32 * MIB}-`)) return false
      isBroken = true
      return { after: { bytes: 5 * MIB, how: 'cut' } }
    }
    await bucket.download(REF, path)
    expect(await isWhole()).toBe(true)
    const resumed = ranges().filter((range) => range.endsWith(`-${48 * MIB - 1}`))
    expect(resumed).toHaveLength(2)
    expect(Number(/\d+/.exec(resumed[1] ?? '')?.[0])).toBeGreaterThan(32 * MIB)
  })

  it('requests each address from the API, and each range from its redirect target', async () => {
    const redirecting = await startFront({ delivery: 'redirect' })
    redirecting.put(REF, bytes)
    await new BucketClient({ url: redirecting.url }).download(REF, path)
    expect(await isWhole()).toBe(true)
    expect(redirecting.store.received.flatMap(({ headers }) => headers.range ?? [])).toHaveLength(4)
    await redirecting.close()
  })

  it('is one response from a server without range support', async () => {
    front.misbehave = (request) => {
      delete request.headers.range
      return false
    }
    await bucket.download(REF, path)
    expect(await isWhole()).toBe(true)
  })

  it('leaves nothing behind if any byte is wrong', async () => {
    const short = bytes.subarray(0, MIB)
    for (const [right, at] of [
      [short, 0],
      [short, MIB - 1],
      [bytes, 40 * MIB],
    ] as const) {
      const wrong = Buffer.from(right)
      wrong[at] = (wrong[at] ?? 0) ^ 1
      const ref = `b/wrong/${at}`
      front.put(ref, right, { stored: wrong })
      await expect(bucket.download(ref, path)).rejects.toMatchObject({
        code: 'digest_mismatch',
        details: { computedDigest: sha256(wrong) },
      })
      expect(await readdir(folder)).toEqual([])
    }
  })

  it('leaves nothing behind if it is aborted before the first byte', async () => {
    const given = new AbortController()
    const onProgress = () => given.abort(new Error('enough'))
    await expect(bucket.download(REF, path, { onProgress, signal: given.signal })).rejects.toThrow('enough')
    expect(await readdir(folder)).toEqual([])
  })
})
