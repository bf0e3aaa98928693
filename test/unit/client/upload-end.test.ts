/** The end of a put, after the last byte was sent (docs/http-api.md, section 7.3). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { BucketError } from '../../../lib/domain/errors.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { beginUpload } from '../../../lib/repository/upload-begin.ts'
import { failed } from '../../../lib/repository/upload-record.ts'
import { type ClientFront, IMPATIENT, sendProblem, startFront } from '../../support/client-front.ts'
import { described } from '../../support/described.ts'
import { withMembers } from '../../support/fault-layer.ts'
import { sha256, someBytes } from '../../support/random-bytes.ts'

const REF = 'prod-models/llama/v1'
/** One part. */
const bytes = someBytes(5 * MIB)

let front: ClientFront
let bucket: BucketClient
let folder: string
let path: string

beforeEach(async () => {
  front = await startFront()
  Object.assign(front.stores, { maxArtifactBytes: 64 * MIB, maxInlineBytes: MIB })
  front.mode = 'multipart'
  bucket = new BucketClient({ url: front.url, ...IMPATIENT })
  folder = await mkdtemp(join(tmpdir(), 'client-upload-end-'))
  path = join(folder, 'model')
  await writeFile(path, bytes)
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})

const commits = () => front.received.filter(({ url }) => url.endsWith('/commit')).length
/** Whether a request reads the state of an upload. */
const isLook = ({ method, url }: IncomingMessage) => method === 'GET' && url?.includes('/uploads/') === true
const isStored = async () => (await front.bytesOf(REF))?.equals(bytes)

describe('the end of an upload', () => {
  it('is looked for soon after the commit, long before the time that the server names', async () => {
    front.misbehave = ({ url }) =>
      url?.endsWith('/commit') === true && {
        head: ({ headers }) => {
          headers['retry-after'] = '600'
        },
      }
    expect((await bucket.put(REF, path)).created).toBe(true)
  })

  it('is a success that created nothing if another client stored the same bytes meanwhile', async () => {
    front.store.misbehave = () => {
      front.put(REF, bytes)
      return false
    }
    expect(await bucket.put(REF, path)).toMatchObject({ created: false, entry: { digest: sha256(bytes) } })
    front.store.received.length = 0
    expect(await bucket.put(REF, path)).toMatchObject({ created: false })
    expect(front.store.received).toEqual([])
  })

  it('is version_exists if another client stored other bytes meanwhile', async () => {
    front.store.misbehave = () => {
      front.put(REF, Buffer.from('other'))
      return false
    }
    await expect(bucket.put(REF, path)).rejects.toMatchObject({
      code: 'version_exists',
      details: { conflict: 'different' },
    })
  })

  it('is created even if the response to the commit was lost', async () => {
    front.mode = 'single'
    let isLost = false
    front.misbehave = (request) => {
      if (isLost || !request.url?.endsWith('/commit')) return false
      isLost = true
      return { after: { bytes: 0, how: 'cut' } }
    }
    expect((await bucket.put(REF, path)).created).toBe(true)
  })

  it('is refused if the entry describes other bytes, from a commit or from the upload', async () => {
    const digest = sha256(Buffer.from('other'))
    front.mode = 'single'
    front.misbehave = (request) => (request.url?.endsWith('/commit') ? withMembers({ digest }) : false)
    await expect(bucket.put(REF, path)).rejects.toMatchObject({ kind: 'unexpected_response' })
    front.mode = 'multipart'
    front.misbehave = (request) =>
      isLook(request) && withMembers(({ entry }) => (entry ? { entry: { ...entry, digest } } : {}))
    await expect(bucket.put('b/a/looked-at', path)).rejects.toMatchObject({ kind: 'unexpected_response' })
  })

  it('commits again if the verification does not advance', async () => {
    front.verifies = false
    const putting = bucket.put(REF, path)
    await expect.poll(commits).toBeGreaterThan(2)
    front.verifies = true
    expect((await putting).created).toBe(true)
  })

  it('fails with a clear error if the verification never advances', async () => {
    front.verifies = false
    await expect(bucket.put(REF, path)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('does not advance'),
    })
    expect(commits()).toBeGreaterThan(10)
  })

  const unavailable = BucketError.unavailable('it is unavailable')
  const mismatch = new BucketError('digest_mismatch', 'it is digest_mismatch', {
    declaredDigest: sha256(bytes),
  })

  /** Makes the verification fail before the client polls it, the next `times`. */
  const failWith = (error: typeof unavailable | typeof mismatch, times: number) => {
    let left = times
    front.verifies = false
    front.misbehave = async (request) => {
      if (!isLook(request)) return false
      if (left-- > 0) await front.changeUpload((row) => failed(row, error))
      else front.verifies = true
      return false
    }
  }

  it('restarts a bounded number of times if the stores fail during verification', async () => {
    failWith(unavailable, 1)
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(await isStored()).toBe(true)
    failWith(unavailable, 100)
    await expect(bucket.put('b/a/never', path)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'it is unavailable',
    })
  })

  /** Makes the upload fail before the commit has its response, so that the commit finds a failed upload (the next `times`). */
  const failBeforeCommit = (error: typeof unavailable | typeof mismatch, times: number) => {
    let left = times
    front.misbehave = async (request) => {
      if (request.url?.endsWith('/commit') && left-- > 0)
        await front.changeUpload((row) => failed(row, error))
      return false
    }
  }

  it('restarts a bounded number of times if the commit finds an upload that failed because of its stores', async () => {
    failBeforeCommit(unavailable, 1)
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(await isStored()).toBe(true)
    // Repeating the commit of a failed upload would change nothing.
    expect(commits()).toBe(2)
    failBeforeCommit(unavailable, 100)
    await expect(bucket.put('b/a/never', path)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'it is unavailable',
    })
    expect(commits()).toBe(2 + IMPATIENT.retry.attempts)
  })

  it('is the error of an upload that failed permanently, even if the commit reports less', async () => {
    front.misbehave = async (request, response) => {
      if (!request.url?.endsWith('/commit')) return false
      await front.changeUpload((row) => failed(row, mismatch))
      return sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    }
    await expect(bucket.put(REF, path)).rejects.toMatchObject({ message: 'it is digest_mismatch' })
    expect(commits()).toBe(1)
  })

  it('repeats only the commit while the service is unavailable', async () => {
    let busy = IMPATIENT.retry.attempts - 1
    front.misbehave = (request, response) =>
      (request.url?.endsWith('/commit') ||
        (request.method === 'GET' && request.url?.includes('/uploads/'))) === true &&
      busy-- > 0 &&
      sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(front.acknowledged()).toEqual([1])
    expect(front.received.filter(({ url }) => url.endsWith('/parts'))).toHaveLength(1)
  })

  it('is the error of an upload that failed permanently', async () => {
    front.verifies = false
    front.misbehave = async (request) => {
      if (!isLook(request)) return false
      await front.changeUpload((row) => failed(row, mismatch))
      return withMembers(({ problem }) => ({ problem: { ...(problem as object), next: 'do it' } }))
    }
    await expect(bucket.put(REF, path)).rejects.toMatchObject({
      code: 'digest_mismatch',
      message: 'it is digest_mismatch',
      next: 'do it',
      details: { declaredDigest: sha256(bytes) },
    })
  })

  it('sends the parts that the commit reports as missing', async () => {
    let isDropped = false
    front.misbehave = async (request) => {
      if (isDropped || !request.url?.endsWith('/commit')) return false
      isDropped = true
      const { id, attempt, size, stagingId } = front.upload()
      await front.stores.staging.drop({ id, attempt, size, stagingId: String(stagingId) })
      await front.stores.staging.begin(id, attempt, size)
      return false
    }
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(front.acknowledged()).toEqual([1, 1])
  })

  it('restarts if the upload was aborted meanwhile', async () => {
    let isGivenUp = false
    front.misbehave = async (request) => {
      if (isGivenUp || !request.url?.endsWith('/commit')) return false
      isGivenUp = true
      await front.stores.uploads.remove(front.upload())
      return false
    }
    expect((await bucket.put(REF, path)).created).toBe(true)
    expect(await isStored()).toBe(true)
  })

  it('is upload_conflict if the existing upload has another size', async () => {
    const id = { ref: parseRef(REF), digest: sha256(bytes) }
    await beginUpload(front.stores, {
      ...{ id, size: bytes.byteLength - 1, mode: 'multipart' },
      description: described(),
    })
    await expect(bucket.put(REF, path)).rejects.toMatchObject({
      code: 'upload_conflict',
      details: { upload: { size: bytes.byteLength - 1, state: 'open' } },
    })
  })
})
