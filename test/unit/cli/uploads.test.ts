import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketError } from '../../../lib/domain/errors.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { presignParts } from '../../../lib/repository/presign-parts.ts'
import { beginUpload } from '../../../lib/repository/upload-begin.ts'
import { failed, verifying } from '../../../lib/repository/upload-record.ts'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { described } from '../../support/described.ts'
import { sha256, sha256Hex, someBytes } from '../../support/random-bytes.ts'
import { bucket } from './command-line.ts'

const MIB = 1024 * 1024
const BYTES = someBytes(5 * MIB)
const DIGEST = sha256(BYTES)
const PINNED = `b/a/v@${DIGEST}`

let front: ClientFront
let folder: string
let file: string
beforeEach(async () => {
  front = await startFront()
  Object.assign(front.stores, { maxArtifactBytes: 64 * MIB, maxInlineBytes: MIB })
  front.mode = 'multipart'
  folder = await mkdtemp(join(tmpdir(), 'cli-uploads-'))
  file = join(folder, 'model')
  await writeFile(file, BYTES)
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})
const on = (...args: string[]) => bucket(args, { url: front.url })

/** Leaves an upload behind of which nothing has arrived. */
async function begin() {
  front.store.misbehave = (_, response) => {
    response.writeHead(401).end()
    return true
  }
  expect((await on('put', 'b/a/v', file)).exit).toBe(7)
  front.store.misbehave = undefined
}
const rows = () => front.stores.uploads.rows

describe('bucket uploads', () => {
  it('shows the progress of an upload, found by digest or by file', async () => {
    await begin()
    const shown = await on('uploads', PINNED)
    expect(shown.exit).toBe(0)
    expect(shown.stdout).toMatch(/^state {14}open$/m)
    expect(shown.stdout).toMatch(/^received {11}0 of 1 parts, 0 B$/m)
    expect((await on('uploads', 'b/a/v', '--file', file)).stdout).toBe(shown.stdout)
  })

  it('is one JSON document with the members of the API', async () => {
    await begin()
    const parts = await presignParts(front.stores, front.upload().id, [
      { number: 1, sha256: sha256Hex(BYTES) },
    ])
    for (const { request } of parts) await front.stores.staging.send(request, BYTES)
    expect(JSON.parse((await on('uploads', PINNED, '--json')).stdout)).toMatchObject({
      bucket_id: 'b',
      digest: DIGEST,
      size: 5 * MIB,
      mode: 'multipart',
      state: 'open',
      part_size: 16 * MIB,
      part_count: 1,
      received: [{ number: 1, size: 5 * MIB, sha256: DIGEST.slice(7) }],
    })
  })

  it('shows why an upload failed, and the entry of a committed one', async () => {
    await begin()
    const error = new BucketError('digest_mismatch', 'other bytes', { declaredDigest: DIGEST })
    await front.changeUpload((row) => failed(row, error))
    const shown = await on('uploads', PINNED)
    expect(shown.stdout).toMatch(/^problem {12}digest_mismatch: other bytes$/m)
    expect(JSON.parse((await on('uploads', PINNED, '--json')).stdout).problem).toMatchObject({
      code: 'digest_mismatch',
      retryable: false,
    })
    await on('put', 'b/a/v', file)
    expect((await on('uploads', PINNED)).stdout).toMatch(/^state {14}committed$/m)
  })

  it('aborts an upload with --abort, and exits 3 if there is none', async () => {
    await begin()
    const given = await on('uploads', PINNED, '--abort')
    expect(given).toMatchObject({ exit: 0, stdout: `${PINNED}\n` })
    expect(rows()).toEqual([])
    expect((await on('uploads', PINNED, '--abort')).exit).toBe(3)
    const absent = await on('uploads', PINNED, '--json')
    expect(absent.exit).toBe(3)
    expect(JSON.parse(absent.stdout).error.code).toBe('upload_not_found')
  })

  it('cannot abort an upload that is being verified: exit 4', async () => {
    await begin()
    await front.changeUpload((row) => verifying(row, Date.now()))
    const refused = await on('uploads', PINNED, '--abort')
    expect(refused.exit).toBe(4)
    expect(refused.stderr).toContain('is verifying')
  })

  it('asks for the digest that names the upload: exit 2', async () => {
    for (const args of [['b/a/v'], [PINNED, '--file', file]]) {
      const refused = await on('uploads', ...args)
      expect(refused.exit).toBe(2)
      expect(refused.stderr).toContain('--file FILE')
    }
    expect(front.received).toEqual([])
  })
})

describe('bucket put', () => {
  it('says how to continue if an upload of another size exists: exit 4', async () => {
    await beginUpload(front.stores, {
      ...{ id: { ref: parseRef('b/a/v'), digest: DIGEST }, size: 6 * MIB, mode: 'multipart' },
      description: described(),
    })
    const refused = await on('put', 'b/a/v', file)
    expect(refused.exit).toBe(4)
    expect(refused.stderr).toContain(`the existing upload is open and has ${6 * MIB} bytes`)
    expect(refused.stderr).toContain(`bucket uploads ${PINNED} --abort`)
    await on('uploads', PINNED, '--abort')
    expect((await on('put', 'b/a/v', file)).exit).toBe(0)
  })

  it('resumes from stdin an upload that began from a file', async () => {
    await begin()
    const piped = await bucket(['put', 'b/a/v', '-', '--json'], { url: front.url, stdin: BYTES })
    expect(JSON.parse(piped.stdout)).toMatchObject({ created: true, entry: { digest: DIGEST } })
    expect(rows()).toHaveLength(1)
  })
})
