import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { type ClientFront, sendProblem, startFront } from '../../support/client-front.ts'
import type { FaultLayer, Head } from '../../support/fault-layer.ts'
import { sha256, someBytes } from '../../support/random-bytes.ts'

const REF = 'prod-models/llama/v1'
const SIZE = 5_000_000
let front: ClientFront
let bucket: BucketClient
let folder: string
let bytes: Buffer

beforeEach(async () => {
  front = await startFront()
  bucket = new BucketClient({ url: front.url, retry: { baseMs: 1 }, timeouts: { idleMs: 2_000 } })
  folder = await mkdtemp(join(tmpdir(), 'client-get-'))
  bytes = someBytes(SIZE)
  front.put(REF, bytes)
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})

const gets = (of: FaultLayer = front) => of.received.filter(({ method }) => method === 'GET')

/** Breaks the next responses after the first `count` bytes, in one of two ways. */
function breakAfter(count: number, times: number, how: 'cut' | 'stall'): void {
  let left = times
  front.misbehave = () => left-- > 0 && { after: { bytes: count, how } }
}

/** As a proxy may forward a response; the last chunk gets lost when the connection breaks. */
const inChunks = ({ headers }: Head) => {
  delete headers['content-length']
}

describe('get', () => {
  it('returns the bytes, their digest and their size', async () => {
    const stream = await bucket.get(REF)
    expect(stream).toMatchObject({ digest: sha256(bytes), size: SIZE })
    expect((await buffer(stream)).equals(bytes)).toBe(true)
  })

  it('returns zero bytes', async () => {
    front.put('b/a/empty', Buffer.alloc(0))
    expect((await buffer(await bucket.get('b/a/empty'))).byteLength).toBe(0)
  })

  it('refuses before the first byte if another digest is stored', async () => {
    await expect(bucket.get(REF, { digest: sha256(Buffer.from('x')) })).rejects.toMatchObject({
      code: 'digest_differs',
      details: { storedDigest: sha256(bytes) },
    })
    await expect(bucket.get(REF, { digest: 'ABC' })).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(bucket.get('b/a/absent')).rejects.toMatchObject({ code: 'version_not_found' })
  })

  it('never returns the last bytes of a wrong artifact, and none of a small one', async () => {
    for (const size of [1000, SIZE]) {
      const right = someBytes(size)
      const wrong = Buffer.from(right)
      wrong[size - 1] = (wrong[size - 1] ?? 0) ^ 1
      const ref = `b/wrong/${size}`
      front.put(ref, right, { stored: wrong })
      let received = 0
      const reading = async () => {
        for await (const chunk of await bucket.get(ref)) received += chunk.byteLength
      }
      await expect(reading()).rejects.toMatchObject({
        code: 'digest_mismatch',
        details: { declaredDigest: sha256(right), computedDigest: sha256(wrong) },
      })
      expect(received).toBeLessThanOrEqual(Math.max(0, size - 1024 * 1024))
    }
  })

  it('resumes at the byte where a connection broke or stalled, with the digest pinned and without If-Range', async () => {
    for (const how of ['cut', 'stall'] as const) {
      front.received.length = 0
      breakAfter(1_500_000, 2, how)
      expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
      const asked = gets()
      expect(asked).toHaveLength(3)
      expect(asked[0]?.headers.range).toBeUndefined()
      for (const { headers, url } of asked.slice(1)) {
        expect(headers.range).toMatch(/^bytes=[1-9]\d*-$/)
        expect(headers['if-range']).toBeUndefined()
        expect(url).toContain(`digest=${encodeURIComponent(sha256(bytes))}`)
      }
    }
  })

  it('fails if connections keep breaking without progress', async () => {
    breakAfter(0, 100, 'cut')
    await expect(bucket.get(REF).then(buffer)).rejects.toMatchObject({ name: 'NetworkError' })
    expect(gets().length).toBeLessThan(10)
  })

  it('is complete if the connection breaks after the last byte, before the response ends', async () => {
    for (const size of [0, 1000, SIZE]) {
      const all = someBytes(size)
      const ref = `b/whole/${size}`
      front.put(ref, all)
      front.received.length = 0
      front.misbehave = () => ({ head: inChunks, after: { bytes: size, how: 'cut' } })
      expect((await buffer(await bucket.get(ref))).equals(all)).toBe(true)
      expect(gets()).toHaveLength(1)
    }
  })

  it('is complete only if the digest matches, not because enough bytes arrived', async () => {
    front.put('b/a/wrong', bytes, { stored: someBytes(SIZE) })
    front.misbehave = () => ({ head: inChunks, after: { bytes: SIZE, how: 'cut' } })
    await expect(bucket.get('b/a/wrong').then(buffer)).rejects.toMatchObject({ code: 'digest_mismatch' })
  })

  it('skips known bytes if a server sends everything again', async () => {
    let first = true
    front.misbehave = (request) => {
      delete request.headers.range
      if (!first) return false
      first = false
      return { after: { bytes: 1_500_000, how: 'cut' } }
    }
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
  })

  it('waits for a busy server', async () => {
    let busy = 2
    front.misbehave = (_, response) =>
      busy-- > 0 && sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
  })

  it('is not treated as stalled if its reader is slow', async () => {
    const reader = (await bucket.get(REF)).getReader()
    await reader.read()
    await new Promise((resolve) => setTimeout(resolve, 700))
    let received = 0
    for (let next = await reader.read(); !next.done; next = await reader.read())
      received += next.value.byteLength
    expect(received).toBeGreaterThan(0)
    expect(gets()).toHaveLength(1)
  })

  it('closes the connection when its reader stops', async () => {
    let closed: Promise<unknown> | undefined
    front.misbehave = (request) => {
      closed = new Promise((resolve) => request.socket.once('close', resolve))
      return false
    }
    front.put('b/a/large', someBytes(50_000_000))
    await (await bucket.get('b/a/large')).cancel()
    await closed
  })
})

describe('bytes with X-Artifact-Ref', () => {
  const named = (name: string) => {
    front.misbehave = () => ({
      head: ({ headers }) => {
        headers['content-disposition'] = `attachment; filename="${name}"`
      },
    })
  }

  it('are accepted if it is the requested reference', async () => {
    named('llama-v1')
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
  })

  it('are refused before the first byte if it is another reference', async () => {
    named('other-v1')
    await expect(bucket.get(REF)).rejects.toMatchObject({ kind: 'unexpected_response' })
    await expect(bucket.download(REF, join(folder, 'model'))).rejects.toMatchObject({
      kind: 'unexpected_response',
    })
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a redirect', () => {
  beforeEach(async () => {
    await front.close()
    front = await startFront({ delivery: 'redirect' })
    front.put(REF, bytes)
    bucket = new BucketClient({ url: front.url, retry: { baseMs: 1 }, timeouts: { idleMs: 2_000 } })
  })

  it('is followed without the client’s own headers, and with Range to resume', async () => {
    let first = true
    front.store.misbehave = () => {
      if (!first) return false
      first = false
      return { after: { bytes: 2_000_000, how: 'cut' } }
    }
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
    const [whole, rest] = gets(front.store)
    expect(Object.keys(whole?.headers ?? {}).sort()).toEqual(['accept-encoding', 'connection', 'host'])
    expect(Object.keys(rest?.headers ?? {}).sort()).toEqual([
      'accept-encoding',
      'connection',
      'host',
      'range',
    ])
  })

  it('is requested again if its target has expired', async () => {
    let expired = 1
    front.store.misbehave = (_, response) => {
      if (expired-- <= 0) return false
      response.writeHead(403).end()
      return true
    }
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
    expect(gets()).toHaveLength(2)
  })
})

describe('download', () => {
  it('creates the file, or replaces an existing one', async () => {
    const path = join(folder, 'model')
    await writeFile(path, 'old')
    expect(await bucket.download(REF, path, { force: true })).toEqual({
      digest: sha256(bytes),
      size: SIZE,
      fetched: true,
    })
    expect((await readFile(path)).equals(bytes)).toBe(true)
    expect(await readdir(folder)).toEqual(['model'])
  })

  it('creates a file with the longest possible name', async () => {
    // 255 bytes in 85 characters.
    const name = '模'.repeat(85)
    await bucket.download(REF, join(folder, name))
    expect(await readdir(folder)).toEqual([name])
  })

  it('leaves no partial file of wrong or missing bytes, and keeps an existing file', async () => {
    const path = join(folder, 'model')
    await writeFile(path, 'old')
    front.put('b/a/wrong', bytes, { stored: someBytes(SIZE) })
    await expect(bucket.download('b/a/wrong', path, { force: true })).rejects.toMatchObject({
      code: 'digest_mismatch',
    })
    breakAfter(10, 1000, 'cut')
    const impatient = new BucketClient({ url: front.url, retry: { baseMs: 1, patienceMs: 50 } })
    const path2 = join(folder, 'other')
    await expect(impatient.download(REF, path2)).rejects.toMatchObject({ kind: 'interrupted' })
    expect(await readdir(folder)).toEqual(['model'])
    expect(await readFile(path, 'utf8')).toBe('old')
  })

  it('keeps its bytes when aborted, and continues from there', async () => {
    const given = new AbortController()
    const stopping = bucket.download(REF, join(folder, 'model'), {
      signal: given.signal,
      onProgress: ({ bytes: done }) => done > 3_000_000 && given.abort(new Error('enough')),
    })
    await expect(stopping).rejects.toThrow('enough')
    expect(await readdir(folder)).toEqual([`.${sha256(bytes).slice(7)}.bucket-partial`])
    front.received.length = 0
    await bucket.download(REF, join(folder, 'model'))
    expect((await readFile(join(folder, 'model'))).equals(bytes)).toBe(true)
    expect(gets().map(({ headers }) => headers.range)).toEqual([
      undefined,
      expect.stringMatching(/^bytes=[1-9]/),
    ])
    expect(await readdir(folder)).toEqual(['model'])
  })

  it('reports a missing folder, and closes the connection', async () => {
    await expect(bucket.download(REF, join(folder, 'absent', 'model'))).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })
})
