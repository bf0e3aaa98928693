import { appendFile, copyFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient, type Progress } from '../../../lib/client/node.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { presignParts } from '../../../lib/repository/presign-parts.ts'
import { changed } from '../../../lib/repository/upload-record.ts'
import { type ClientFront, IMPATIENT, partOf, sendProblem, startFront } from '../../support/client-front.ts'
import { sha256, sha256Hex, someBytes } from '../../support/random-bytes.ts'

const REF = 'prod-models/llama/v1'
/** Two parts, the last of them short. */
const SIZE = 17 * MIB

let front: ClientFront
let bucket: BucketClient
let folder: string
/** Tests that change the file change a copy. */
let path: string
const bytes = someBytes(SIZE)

const client = (url = front.url) => new BucketClient({ url, ...IMPATIENT })
/** One whose transfers end with the first failure. */
const hasty = () =>
  new BucketClient({ url: front.url, ...IMPATIENT, retry: { ...IMPATIENT.retry, patienceMs: 0 } })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'client-upload-'))
  path = join(folder, 'model')
  await writeFile(path, bytes)
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  front = await startFront()
  Object.assign(front.stores, { maxArtifactBytes: 64 * MIB, maxInlineBytes: MIB })
  front.mode = 'multipart'
  bucket = client()
})
afterEach(() => front.close())

async function copyOfFile(): Promise<string> {
  const copy = join(folder, 'copy')
  await copyFile(path, copy)
  return copy
}

const isStored = async () => (await front.bytesOf(REF))?.equals(bytes)
const answer = (response: ServerResponse, status: number): true => {
  response.writeHead(status).end()
  return true
}
/** Takes a part of the body and closes the connection. */
const cut = (request: IncomingMessage, response: ServerResponse): true => {
  response.writeContinue()
  request.once('data', () => request.socket.destroy())
  return true
}
/** Misbehaves the first time that each part of `numbers` comes. */
function once(numbers: number[], misbehave: (request: IncomingMessage, response: ServerResponse) => true) {
  const left = new Set(numbers)
  front.store.misbehave = (request, response) =>
    left.delete(partOf(request.url)) && misbehave(request, response)
}

/** Starts a put and aborts it in the middle: the second part has arrived, the first has not. */
async function breakOff() {
  front.store.misbehave = async ({ url }, response) => {
    if (partOf(url) !== 1) return false
    await expect.poll(() => front.acknowledged()).toEqual([2])
    return answer(response, 401)
  }
  await expect(bucket.put(REF, path)).rejects.toMatchObject({ name: 'NetworkError' })
  front.store.misbehave = undefined
}

describe('put of a body above the inline limit', { timeout: 30_000 }, () => {
  it('sends parts concurrently, each with its own digest, and is committed after the whole is verified', async () => {
    const told: Progress[] = []
    // The verification is half done at the client's first poll.
    front.verifies = false
    front.misbehave = async ({ method, url }) => {
      if (method !== 'GET' || !url?.includes('/uploads/') || front.verifies) return false
      await front.changeUpload((row) => changed(row, { verifiedBytes: SIZE / 2 }))
      front.verifies = true
      return false
    }
    const result = await bucket.put(REF, path, { onProgress: (progress) => told.push(progress) })
    expect(result).toMatchObject({ created: true, entry: { digest: sha256(bytes), size: SIZE } })
    expect(await isStored()).toBe(true)
    expect(front.acknowledged().toSorted()).toEqual([1, 2])
    expect([...new Set(told.map(({ phase }) => phase))]).toEqual([
      'hashing',
      'uploading',
      'verifying',
      'committed',
    ])
    expect(told).toContainEqual({ phase: 'verifying', bytes: SIZE / 2, total: SIZE })
    expect(told.at(-1)).toEqual({ phase: 'committed', bytes: SIZE, total: SIZE })
  })

  it('sends presigned requests unchanged, without chunked coding and without headers of its own', async () => {
    const secretive = new BucketClient({ url: front.url, auth: { kind: 'api-key', key: 'secret' } })
    await secretive.put(REF, path)
    expect(front.store.received).toHaveLength(2)
    for (const { headers } of front.store.received)
      expect(Object.keys({ ...headers, expect: '100-continue' }).toSorted()).toEqual([
        'connection',
        'content-length',
        'expect',
        'host',
        'x-amz-checksum-sha256',
      ])
    const asked = front.received.filter(({ url }) => url.includes('/uploads/'))
    expect(asked.every(({ headers }) => headers['x-api-key'] === 'secret')).toBe(true)
  })

  it('uses one request if the service chooses so, and is created by the commit', async () => {
    front.mode = 'single'
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(front.store.received).toHaveLength(1)
    expect(await isStored()).toBe(true)
  })

  it('stores the description in either mode', async () => {
    const description = {
      uploadedBy: 'cluster 5',
      provenanceSource: 'run-47',
      contentType: 'application/x-model',
    }
    for (const mode of ['single', 'multipart'] as const) {
      front.mode = mode
      expect((await bucket.put(`b/a/${mode}`, path, description)).entry).toMatchObject(description)
    }
  })

  it('counts only acknowledged bytes as sent', async () => {
    const told: Progress[] = []
    await bucket.put(REF, path, { onProgress: (progress) => told.push(progress) })
    const uploading = told.filter(({ phase }) => phase === 'uploading')
    const seen = new Set(uploading.map(({ bytes }) => bytes / MIB))
    const sums = [0, 1, 16, 17]
    expect([...seen].filter((count) => !sums.includes(count))).toEqual([])
    expect(seen.size).toBe(3)
    expect(uploading.some(({ bytes, sent = 0 }) => sent > bytes)).toBe(true)
  })

  it('resumes where another process stopped, and does not send received parts again', async () => {
    await breakOff()
    expect(front.acknowledged()).toEqual([2])
    expect((await client().put(REF, path)).created).toBe(true)
    expect(front.acknowledged()).toEqual([2, 1])
    expect(await isStored()).toBe(true)
  })

  it('resends a part that was received with other bytes', async () => {
    await breakOff()
    const other = someBytes(16 * MIB)
    const parts = await presignParts(front.stores, front.upload().id, [
      { number: 1, sha256: sha256Hex(other) },
    ])
    for (const { request } of parts) await front.stores.staging.send(request, other)
    front.store.received.length = 0
    await bucket.put(REF, path)
    expect(front.acknowledged()).toEqual([1])
    expect(await isStored()).toBe(true)
  })

  it('only commits a single upload whose bytes were received', async () => {
    front.mode = 'single'
    front.misbehave = (request) => {
      if (request.url?.endsWith('/commit')) request.socket.destroy()
      return request.url?.endsWith('/commit')
    }
    await expect(hasty().put(REF, path)).rejects.toMatchObject({ name: 'NetworkError' })
    front.misbehave = undefined
    front.store.received.length = 0
    await bucket.put(REF, path)
    expect(front.store.received).toEqual([])
    expect(await isStored()).toBe(true)
  })
})

describe('an unreliable store', { timeout: 30_000 }, () => {
  it.each<[string, (request: IncomingMessage, response: ServerResponse) => true]>([
    ['requests have expired', (_, response) => answer(response, 403)],
    ['it is busy', (_, response) => answer(response, 503)],
    ['it throttles', (_, response) => answer(response, 429)],
    ['it found the sender too slow', (_, response) => answer(response, 408)],
    ['another request for the same part is under way', (_, response) => answer(response, 409)],
    ['the connection is cut in the middle of a part', cut],
  ])('stores all the same when %s', async (_, misbehave) => {
    for (const mode of ['multipart', 'single'] as const) {
      front.mode = mode
      once([1, 2], misbehave)
      const ref = `b/a/${mode}`
      expect((await bucket.put(ref, path)).created).toBe(true)
      expect((await front.bytesOf(ref))?.equals(bytes)).toBe(true)
    }
  })

  it('is not blamed for another sender of the same part', async () => {
    once([1], (_, response) => answer(response, 409))
    const reasons: string[] = []
    const watched = new BucketClient({
      ...{ url: front.url, ...IMPATIENT },
      onEvent: (event) => event.kind === 'retry' && reasons.push(String(event.error)),
    })
    await watched.put(REF, path)
    expect(reasons).toEqual([expect.stringContaining('another sender is sending the same bytes')])
  })

  it('does not fail a put if it stalls in the middle of a part', async () => {
    once([1], () => true)
    const timeouts = { ...IMPATIENT.timeouts, idleMs: 1_000 }
    const stalling = new BucketClient({ url: front.url, ...IMPATIENT, timeouts })
    expect((await stalling.put(REF, path)).created).toBe(true)
    expect(await isStored()).toBe(true)
  })

  it('does not fail a put by an outage of more attempts than a request has', async () => {
    let failures = 0
    const fails = ({ socket }: IncomingMessage) => {
      if (failures >= 60) return false
      failures += 1
      socket.destroy()
      return true
    }
    front.store.misbehave = fails
    // The API is gone too, once the upload has begun.
    front.misbehave = (request) => /\/(parts|commit)$/.test(request.url ?? '') && fails(request)
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(failures).toBe(60)
    expect(await isStored()).toBe(true)
  })

  it('gets a new presigned request after 403, and fails the put if that is refused too', async () => {
    front.store.misbehave = ({ url }, response) => partOf(url) === 1 && answer(response, 403)
    await expect(bucket.put(REF, path)).rejects.toMatchObject({ code: 'forbidden' })
    expect(front.store.received.filter(({ url }) => partOf(url) === 1)).toHaveLength(4)
    const batches = front.received.filter(({ url }) => url.endsWith('/parts'))
    expect(batches.filter(({ json }) => JSON.parse(json).parts.length === 1)).toHaveLength(3)
  })

  it('gets a part again that was damaged in transit, and fails the put if that repeats', async () => {
    once([2], (_, response) => answer(response, 400))
    expect((await bucket.put(REF, path)).created).toBe(true)
    front.store.misbehave = (_, response) => answer(response, 400)
    await expect(bucket.put('b/a/damaged', path)).rejects.toMatchObject({ code: 'digest_mismatch' })
  })

  it('fails the put with its own error if that persists', async () => {
    front.store.misbehave = (_, response) => answer(response, 503)
    await expect(hasty().put(REF, path)).rejects.toMatchObject({ code: 'unavailable' })
    front.store.misbehave = (_, response) => answer(response, 507)
    await expect(bucket.put(REF, path)).rejects.toMatchObject({ code: 'insufficient_storage' })
    expect(front.entries()).toEqual([])
  })

  it('stops receiving in the middle of a part when the signal aborts', async () => {
    const given = new AbortController()
    front.store.misbehave = (request, response) => {
      response.writeContinue()
      request.once('data', () => given.abort(new Error('enough')))
      return true
    }
    await expect(bucket.put(REF, path, { signal: given.signal })).rejects.toThrow('enough')
  })
})

describe('a file that changes while it is being sent', { timeout: 30_000 }, () => {
  it('is detected by its size or time', async () => {
    const growing = await copyOfFile()
    let grown: Promise<void> | undefined
    const onProgress = ({ phase }: Progress) => {
      if (phase === 'uploading') grown ??= appendFile(growing, 'more')
    }
    await expect(bucket.put(REF, growing, { onProgress })).rejects.toMatchObject({
      name: 'SourceChangedError',
    })
    await grown
    expect(front.entries()).toEqual([])
  })

  it('is detected by its bytes if size and time are unchanged', async () => {
    // A custom source, which does not check file times.
    let isChanged = false
    const source = {
      size: SIZE,
      async *open(start = 0, end = SIZE) {
        const piece = Buffer.from(bytes.subarray(start, end))
        if (isChanged) piece[0] = (piece[0] ?? 0) ^ 1
        yield piece
      },
      dispose: async () => {},
    }
    const onProgress = ({ phase }: Progress) => {
      isChanged ||= phase === 'uploading'
    }
    await expect(bucket.put(REF, source, { onProgress })).rejects.toMatchObject({
      name: 'SourceChangedError',
    })
    expect(front.entries()).toEqual([])
  })

  it('is detected if it is truncated', async () => {
    const shrinking = await copyOfFile()
    front.store.misbehave = async () => {
      const file = await open(shrinking, 'r+')
      await file.truncate(SIZE / 2)
      await file.close()
      return false
    }
    await expect(bucket.put(REF, shrinking)).rejects.toMatchObject({ name: 'SourceChangedError' })
  })
})

describe('an upload', { timeout: 30_000 }, () => {
  it('is shown in its current state, and aborted', async () => {
    await breakOff()
    const digest = sha256(bytes)
    expect(await bucket.upload(REF, digest)).toMatchObject({
      state: 'open',
      mode: 'multipart',
      size: SIZE,
      received: expect.arrayContaining([expect.objectContaining({ number: 2, size: MIB })]),
    })
    await bucket.abortUpload(REF, digest)
    await expect(bucket.upload(REF, digest)).rejects.toMatchObject({ code: 'upload_not_found' })
    await expect(bucket.abortUpload(REF, digest)).rejects.toMatchObject({ code: 'upload_not_found' })
  })

  it('is retried if the server is busy', async () => {
    const busy = new Set(['PUT', 'POST', 'GET'])
    // No verification ends before the client's first poll.
    front.verifies = false
    front.misbehave = ({ method = '', url }, response) => {
      if (!url?.includes('/uploads/')) return false
      front.verifies ||= method === 'GET'
      return busy.delete(method) && sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    }
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(busy.size).toBe(0)
  })
})
