import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { type PlayedFront, playFront, sendBytes, sendProblem, sha256, someBytes } from './played-front.ts'

const REF = 'prod-models/llama/v1'
const SIZE = 5_000_000
let front: PlayedFront
let store: PlayedFront
let bucket: BucketClient
let folder: string
let bytes: Buffer

beforeEach(async () => {
  front = await playFront()
  store = await playFront()
  bucket = new BucketClient({ url: front.url, retry: { baseMs: 1 }, timeouts: { idleMs: 500 } })
  folder = await mkdtemp(join(tmpdir(), 'client-get-'))
  bytes = someBytes(SIZE)
  front.put(REF, bytes)
})
afterEach(async () => {
  await front.close()
  await store.close()
  await rm(folder, { recursive: true })
})

const gets = (of = front) => of.received.filter(({ method }) => method === 'GET')
const stored = () => {
  const found = front.stored.get(REF)
  if (!found) throw new Error('not stored')
  return found
}

/** Answers the next requests for the bytes with the first `count` of them and then breaks, in one of two ways. */
function breakAfter(count: number, times: number, how: 'cut' | 'stall'): void {
  let left = times
  front.misbehave = (request, response) => {
    if (left-- <= 0) return false
    const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0)
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': SIZE - from,
      'x-artifact-digest': sha256(bytes),
      'x-artifact-size': SIZE,
      ...(from > 0 && { 'content-range': `bytes ${from}-${SIZE - 1}/${SIZE}` }),
    })
    response.write(bytes.subarray(from, from + count), () => {
      if (how === 'cut') request.socket.destroySoon()
    })
    return true
  }
}

describe('get', () => {
  it('gives the bytes, their digest and their size', async () => {
    const stream = await bucket.get(REF)
    expect(stream).toMatchObject({ digest: sha256(bytes), size: SIZE })
    expect((await buffer(stream)).equals(bytes)).toBe(true)
  })

  it('gives zero bytes', async () => {
    front.put(REF, Buffer.alloc(0))
    expect((await buffer(await bucket.get(REF))).byteLength).toBe(0)
  })

  it('refuses before the first byte when another digest is stored', async () => {
    await expect(bucket.get(REF, { digest: sha256(Buffer.from('x')) })).rejects.toMatchObject({
      code: 'digest_differs',
      details: { storedDigest: sha256(bytes) },
    })
    await expect(bucket.get(REF, { digest: 'ABC' })).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(bucket.get('b/a/absent')).rejects.toMatchObject({ code: 'version_not_found' })
  })

  it('never gives the end of wrong bytes, and none of a small wrong artifact', async () => {
    for (const size of [1000, SIZE]) {
      const right = someBytes(size)
      const { entry } = front.put(REF, right)
      const wrong = Buffer.from(right)
      wrong[size - 1] = (wrong[size - 1] ?? 0) ^ 1
      front.stored.set(REF, { bytes: wrong, entry })
      let received = 0
      const reading = async () => {
        for await (const chunk of await bucket.get(REF)) received += chunk.byteLength
      }
      await expect(reading()).rejects.toMatchObject({
        code: 'digest_mismatch',
        details: { declaredDigest: sha256(right), computedDigest: sha256(wrong) },
      })
      expect(received).toBeLessThanOrEqual(Math.max(0, size - 1024 * 1024))
    }
  })

  it('resumes where a broken or stalled connection ended, with the digest pinned and without If-Range', async () => {
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

  it('gives up a connection that breaks again and again without getting on', async () => {
    breakAfter(0, 100, 'cut')
    await expect(bucket.get(REF).then(buffer)).rejects.toMatchObject({ name: 'NetworkError' })
    expect(gets().length).toBeLessThan(10)
  })

  it('is whole when the connection breaks after the last byte, before the end is said', async () => {
    for (const size of [0, 1000, SIZE]) {
      bytes = someBytes(size)
      front.put(REF, bytes)
      front.received.length = 0
      // In chunks, as a proxy may give it, which loses the last one.
      front.misbehave = (request, response) => {
        response.writeHead(200, { 'x-artifact-digest': sha256(bytes), 'x-artifact-size': size })
        response.flushHeaders()
        if (size === 0) request.socket.destroySoon()
        else response.write(bytes, () => request.socket.destroySoon())
        return true
      }
      expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
      expect(gets()).toHaveLength(1)
    }
  })

  it('is not whole because as many bytes came: the digest decides, however the connection ended', async () => {
    front.misbehave = (request, response) => {
      response.writeHead(200, { 'x-artifact-digest': sha256(bytes), 'x-artifact-size': SIZE })
      response.write(someBytes(SIZE), () => request.socket.destroySoon())
      return true
    }
    await expect(bucket.get(REF).then(buffer)).rejects.toMatchObject({ code: 'digest_mismatch' })
  })

  it('skips the bytes that it has when a server sends the whole again', async () => {
    let first = true
    front.misbehave = (request, response) => {
      if (first) {
        first = false
        response.writeHead(200, {
          'content-length': SIZE,
          'x-artifact-digest': sha256(bytes),
          'x-artifact-size': SIZE,
        })
        response.write(bytes.subarray(0, 1_500_000), () => request.socket.destroySoon())
        return true
      }
      delete request.headers.range
      sendBytes(request, response, stored())
      return true
    }
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
  })

  it('waits out a front that is busy', async () => {
    let busy = 2
    front.misbehave = (_, response) =>
      busy-- > 0 && sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
  })

  it('is not mistaken for stalled when its reader is slow', async () => {
    const reader = (await bucket.get(REF)).getReader()
    await reader.read()
    await new Promise((resolve) => setTimeout(resolve, 700))
    let received = 0
    for (let next = await reader.read(); !next.done; next = await reader.read())
      received += next.value.byteLength
    expect(received).toBeGreaterThan(0)
    expect(gets()).toHaveLength(1)
  })

  it('closes the connection when its reader has had enough', async () => {
    let closed: Promise<unknown> | undefined
    front.misbehave = (request) => {
      closed = new Promise((resolve) => request.socket.once('close', resolve))
      return false
    }
    front.put(REF, someBytes(50_000_000))
    await (await bucket.get(REF)).cancel()
    await closed
  })
})

describe('bytes that are named', () => {
  const named = (name: string) => {
    front.misbehave = (request, response) => {
      response.setHeader('content-disposition', `attachment; filename="${name}"`)
      sendBytes(request, response, stored())
      return true
    }
  }

  it('as what was asked for are taken', async () => {
    named('llama-v1')
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
  })

  it('as another artifact are refused before the first of them', async () => {
    named('other-v1')
    await expect(bucket.get(REF)).rejects.toMatchObject({ kind: 'unexpected_response' })
    await expect(bucket.download(REF, join(folder, 'model'))).rejects.toMatchObject({
      kind: 'unexpected_response',
    })
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a redirect', () => {
  const redirect = () => {
    store.put(REF, bytes)
    front.misbehave = (_, response) => {
      response.writeHead(307, {
        location: `${store.url}/buckets/prod-models/artifacts/llama/versions/v1?X-Amz-Signature=s`,
        'x-artifact-digest': sha256(bytes),
        'x-artifact-size': SIZE,
        'content-length': 0,
      })
      response.end()
      return true
    }
  }

  it('is followed with none of the client’s own headers, and Range when it goes on', async () => {
    redirect()
    let first = true
    store.misbehave = (request, response) => {
      if (!first) return false
      first = false
      response.writeHead(200, { 'content-length': SIZE })
      response.write(bytes.subarray(0, 2_000_000), () => request.socket.destroySoon())
      return true
    }
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
    const [whole, rest] = gets(store)
    expect(Object.keys(whole?.headers ?? {}).sort()).toEqual(['accept-encoding', 'connection', 'host'])
    expect(Object.keys(rest?.headers ?? {}).sort()).toEqual([
      'accept-encoding',
      'connection',
      'host',
      'range',
    ])
  })

  it('is requested again when its target has expired', async () => {
    redirect()
    let expired = 1
    store.misbehave = (_, response) => {
      if (expired-- <= 0) return false
      response.writeHead(403).end()
      return true
    }
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
    expect(gets()).toHaveLength(2)
  })
})

describe('download', () => {
  it('makes the file, replacing one of that name', async () => {
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

  it('makes a file of the longest name that a folder takes', async () => {
    // 255 bytes in 85 characters.
    const name = '模'.repeat(85)
    await bucket.download(REF, join(folder, name))
    expect(await readdir(folder)).toEqual([name])
  })

  it('leaves no partial file of wrong bytes, none without bytes, and an old file as it was', async () => {
    const path = join(folder, 'model')
    await writeFile(path, 'old')
    const { entry } = stored()
    front.stored.set(REF, { bytes: someBytes(SIZE), entry })
    await expect(bucket.download(REF, path, { force: true })).rejects.toMatchObject({
      code: 'digest_mismatch',
    })
    breakAfter(10, 1000, 'cut')
    const impatient = new BucketClient({ url: front.url, retry: { baseMs: 1, patienceMs: 50 } })
    const path2 = join(folder, 'other')
    await expect(impatient.download(REF, path2)).rejects.toMatchObject({ kind: 'interrupted' })
    expect(await readdir(folder)).toEqual(['model'])
    expect(await readFile(path, 'utf8')).toBe('old')
  })

  it('keeps what it has when it is stopped, and continues from there', async () => {
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

  it('says when the folder is not there, and lets go of the connection', async () => {
    await expect(bucket.download(REF, join(folder, 'absent', 'model'))).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })
})
