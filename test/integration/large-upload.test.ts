/**
 * An upload of many parts through the deployed service, end to end, with nothing but `fetch` on the sending side: parts straight to
 * the store, the verifier reads them within bounded memory, and what comes back are exactly the bytes. 1 GiB on LocalStack;
 * MiniStack takes more than four times an object in memory and gets 128 MiB.
 */
import { createCipheriv, createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { GIB, MIB, partCount, sizeOfPart } from '../../lib/domain/limits.ts'
import { freshRef, get, type Ref, versionPath } from '../contract/http/requests.ts'
import { begun, commit, partRequest, putJson, state, uploadPath } from '../contract/http/upload-requests.ts'
import { deployedTarget } from './deployed-target.ts'
import { given } from './given.ts'
import { verifierPeakBytes } from './verifier-memory.ts'

const SIZE = given().emulator === 'localstack' ? GIB + 12_345 : 128 * MIB + 12_345
const SENDERS = 3
/** Far below the size of the artifact, and above what Node itself and four ranges of 8 MiB take. */
const MEMORY_BYTES = 350 * MIB
const target = deployedTarget()

/** Bytes that repeat nowhere, any part of which can be made again. */
const partBytes = (number: number): Buffer =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16, number), Buffer.alloc(16)).update(
    Buffer.alloc(sizeOfPart(SIZE, number)),
  )
const hexOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function digestOfWhole(): string {
  const hash = createHash('sha256')
  for (let number = 1; number <= partCount(SIZE); number += 1) hash.update(partBytes(number))
  return `sha256:${hash.digest('hex')}`
}

async function sendPart(ref: Ref, digest: string, number: number): Promise<void> {
  const bytes = partBytes(number)
  const { method, url, headers } = await partRequest(target, ref, digest, number, hexOf(bytes))
  const answer = await fetch(url, { method, headers, body: new Uint8Array(bytes) })
  expect(answer.status, await answer.text()).toBe(200)
}

/** Follows the redirect range by range, so that nobody holds the whole. */
async function digestOfStored(ref: Ref): Promise<string> {
  const hash = createHash('sha256')
  for (let first = 0; first < SIZE; first += 64 * MIB) {
    const redirect = await get(target, versionPath(ref))
    expect(redirect.status).toBe(307)
    const last = Math.min(first + 64 * MIB, SIZE) - 1
    const answer = await fetch(redirect.headers.get('location') ?? '', {
      headers: { Range: `bytes=${first}-${last}` },
    })
    expect(answer.status).toBe(206)
    hash.update(new Uint8Array(await answer.arrayBuffer()))
  }
  return `sha256:${hash.digest('hex')}`
}

test(`${Math.round(SIZE / MIB)} MiB in parts are verified within bounded memory, and come back exactly`, {
  timeout: 600_000,
}, async () => {
  const ref = freshRef()
  const digest = digestOfWhole()
  const { upload } = await begun(target, ref, digest, { size: SIZE, uploaded_by: 'large-upload' })
  expect(upload).toMatchObject({ mode: 'multipart', part_count: partCount(SIZE), received: [] })

  const numbers = Array.from({ length: partCount(SIZE) }, (_, at) => at + 1)
  const sender = async () => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift())
      await sendPart(ref, digest, number)
  }
  await Promise.all(Array.from({ length: SENDERS }, sender))
  // Found again from nothing but ref and digest, with all that arrived.
  const again = await putJson(target, uploadPath(ref, digest), { size: SIZE })
  expect(again.status).toBe(200)
  const before = await state(target, ref, digest)
  expect(Array.isArray('received' in before && before.received) ? before : {}).toMatchObject({
    received: expect.objectContaining({ length: partCount(SIZE) }),
  })

  const from = Date.now()
  expect((await commit(target, ref, digest)).status).toBe(202)
  const progress = new Set<number>()
  let seen = await state(target, ref, digest)
  for (; seen.state === 'verifying'; seen = await state(target, ref, digest)) {
    if (typeof seen.verified_bytes === 'number') progress.add(seen.verified_bytes)
    await pause(250)
  }
  expect(seen, JSON.stringify(seen)).toMatchObject({ state: 'committed', entry: { digest, size: SIZE } })
  const seconds = (Date.now() - from) / 1000
  const peak = await verifierPeakBytes()
  console.log(
    `${SIZE} bytes verified in ${seconds.toFixed(1)} s (seen at ${[...progress].join(', ')}); the verifier took at most ${peak} bytes of memory`,
  )
  expect(peak ?? 0).toBeLessThan(MEMORY_BYTES)
  expect(await digestOfStored(ref)).toBe(digest)
  expect((await commit(target, ref, digest)).status).toBe(200)
})
