/** The end of a put, after the last byte was sent (docs/http-api.md, section 7.3). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import {
  IMPATIENT,
  type PlayedFront,
  playFront,
  sendJson,
  sendProblem,
  sha256,
  someBytes,
} from './played-front.ts'
import type { PlayedUploads } from './played-uploads.ts'

const REF = 'prod-models/llama/v1'
/** One part. */
const bytes = someBytes(5 * MIB)

let front: PlayedFront
let played: PlayedUploads
let bucket: BucketClient
let folder: string
let path: string

beforeEach(async () => {
  front = await playFront()
  front.limits = { max_artifact_bytes: 64 * MIB, max_inline_bytes: MIB }
  played = front.uploads
  played.mode = 'multipart'
  bucket = new BucketClient({ url: front.url, ...IMPATIENT })
  folder = await mkdtemp(join(tmpdir(), 'client-upload-end-'))
  path = join(folder, 'model')
  await writeFile(path, bytes)
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})

const isStored = () => front.stored.get(REF)?.bytes.equals(bytes)

describe('the end of an upload', () => {
  it('is a success that created nothing when a rival stored the same bytes meanwhile', async () => {
    played.misbehave = (number) => {
      if (number === 1) front.put(REF, bytes)
      return false
    }
    expect(await bucket.put(REF, path)).toMatchObject({ created: false, entry: { digest: sha256(bytes) } })
    played.acknowledged.length = 0
    expect(await bucket.put(REF, path)).toMatchObject({ created: false })
    expect(played.acknowledged).toEqual([])
  })

  it('is version_exists when a rival stored other bytes meanwhile', async () => {
    played.misbehave = (number) => {
      if (number === 1) front.put(REF, Buffer.from('other'))
      return false
    }
    await expect(bucket.put(REF, path)).rejects.toMatchObject({
      code: 'version_exists',
      details: { conflict: 'different' },
    })
  })

  it('is created, also when the answer to the commit was lost', async () => {
    played.mode = 'single'
    let isLost = false
    front.misbehave = (request) => {
      if (isLost || !request.url?.endsWith('/commit')) return false
      isLost = true
      played.finish(played.latest)
      request.socket.destroy()
      return true
    }
    expect((await bucket.put(REF, path)).created).toBe(true)
  })

  it('is not believed when the entry is that of other bytes, from a commit or from the upload', async () => {
    const [bucket_id, artifact_id, version] = REF.split('/')
    const named = { bucket_id, artifact_id, version }
    const entry = { ...front.put('b/a/v', bytes).entry, ...named, digest: sha256(Buffer.from('other')) }
    front.misbehave = (request, response) => {
      if (!request.url?.endsWith('/commit')) return false
      sendJson(response, 201, entry)
      return true
    }
    await expect(bucket.put(REF, path)).rejects.toMatchObject({ kind: 'unexpected_response' })
    front.misbehave = (request, response) => {
      if (request.method !== 'GET' || !request.url?.includes('/uploads/')) return false
      const { digest, size, mode } = played.latest
      sendJson(response, 200, { ...named, digest, size, mode, state: 'committed', expires_at: 'x', entry })
      return true
    }
    await expect(bucket.put(REF, path)).rejects.toMatchObject({ kind: 'unexpected_response' })
  })

  it('asks for a verification again that does not advance', async () => {
    played.verifies = false
    const putting = bucket.put(REF, path)
    await expect.poll(() => played.commits).toBeGreaterThan(2)
    played.verifies = true
    expect((await putting).created).toBe(true)
  })

  it('gives a verification up that never advances, and says so', async () => {
    played.verifies = false
    await expect(bucket.put(REF, path)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('does not advance'),
    })
    expect(played.commits).toBeGreaterThan(10)
  })

  const failWith = (problem: Record<string, unknown>, times: number) => {
    let left = times
    front.misbehave = (request) => {
      if (request.method !== 'GET' || !request.url?.includes('/uploads/')) return false
      if (left-- > 0) Object.assign(played.latest, { state: 'failed', problem })
      return false
    }
  }
  const problem = (code: string) => ({
    ...{ type: `/v1/problems/${code}`, title: code, status: 400, retryable: false, request_id: 'r-1' },
    ...{ code, detail: `it is ${code}`, next: 'do it' },
  })

  it('restarts when the stores failed the verification, a bounded number of times', async () => {
    failWith(problem('unavailable'), 1)
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(isStored()).toBe(true)
    failWith(problem('unavailable'), 100)
    await expect(bucket.put('b/a/never', path)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'it is unavailable',
    })
  })

  /** Lets the upload fail before the commit is answered, so that the commit meets what failed (the next `times`). */
  const failBeforeCommit = (told: Record<string, unknown>, times: number) => {
    let left = times
    front.misbehave = (request) => {
      if (request.url?.endsWith('/commit') && left-- > 0)
        Object.assign(played.latest, { state: 'failed', problem: told })
      return false
    }
  }

  it('restarts when the commit meets an upload that the stores failed, a bounded number of times', async () => {
    failBeforeCommit(problem('unavailable'), 1)
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(isStored()).toBe(true)
    // Asking what is failed to be committed again and again would change nothing.
    expect(played.commits).toBe(2)
    failBeforeCommit(problem('unavailable'), 100)
    await expect(bucket.put('b/a/never', path)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'it is unavailable',
    })
    expect(played.commits).toBe(2 + IMPATIENT.retry.attempts)
  })

  it('is the problem of an upload that failed for good, also where the commit is told less', async () => {
    failBeforeCommit(problem('digest_mismatch'), 1)
    await expect(bucket.put(REF, path)).rejects.toMatchObject({ message: 'it is digest_mismatch' })
    expect(played.commits).toBe(1)
  })

  it('asks for the commit again, and for nothing else, while the service is unavailable', async () => {
    let busy = IMPATIENT.retry.attempts - 1
    front.misbehave = (request, response) =>
      (request.url?.endsWith('/commit') ||
        (request.method === 'GET' && request.url?.includes('/uploads/'))) === true &&
      busy-- > 0 &&
      sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(played.acknowledged).toEqual([1])
    expect(front.received.filter(({ url }) => url.endsWith('/parts'))).toHaveLength(1)
  })

  it('is the problem of an upload that failed for good', async () => {
    failWith({ ...problem('digest_mismatch'), declared_digest: sha256(bytes) }, 1)
    await expect(bucket.put(REF, path)).rejects.toMatchObject({
      code: 'digest_mismatch',
      message: 'it is digest_mismatch',
      next: 'do it',
      details: { declaredDigest: sha256(bytes) },
    })
  })

  it('sends what is missing when the commit finds that something is', async () => {
    let isDropped = false
    front.misbehave = (request) => {
      if (isDropped || !request.url?.endsWith('/commit')) return false
      isDropped = true
      played.latest.received.delete(1)
      return false
    }
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(played.acknowledged).toEqual([1, 1])
  })

  it('restarts when the upload was aborted meanwhile', async () => {
    let isGivenUp = false
    front.misbehave = (request) => {
      if (isGivenUp || !request.url?.endsWith('/commit')) return false
      isGivenUp = true
      played.all.clear()
      return false
    }
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(isStored()).toBe(true)
  })

  it('is upload_conflict when the upload that is there has another size', async () => {
    await bucket.put(REF, path)
    front.stored.clear()
    const upload = played.latest
    played.all.set(`${REF}@${upload.digest}`, { ...upload, state: 'open', size: bytes.byteLength - 1 })
    await expect(bucket.put(REF, path)).rejects.toMatchObject({
      code: 'upload_conflict',
      details: { upload: { size: bytes.byteLength - 1, state: 'open' } },
    })
  })
})
