/**
 * A deployment that is updated with other code keeps its URL and its artifacts, and gives no wrong response during the update.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import {
  fetchBytes,
  freshRef,
  get,
  json,
  put,
  type Ref,
  stored,
  versionPath,
} from '../contract/http/requests.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { deployedTarget } from './deployed-target.ts'
import { changedProject, deploy, TITLE } from './deployment.ts'
import { given } from './given.ts'
import { stopEverything } from './processes.ts'

const target = deployedTarget()
afterAll(stopEverything)
/** Limit for the time that callers wait during an update, in milliseconds. */
const BUSY_MS = 5_000

/**
 * A 5xx that neither Bucket nor the gateway's configured responses wrote: all of theirs have a code (docs/http-api.md, section 8).
 * LocalStack responds 503, MiniStack 502 with the words of its own runtime.
 */
const isEmulators = ({ status, body }: RawResponse): boolean =>
  !body.includes('"code"') && (status === 503 || (status === 502 && body.includes('Worker process died')))

/**
 * Sends a request again while the emulator itself responds: both emulators stop a function in the middle of a call when its
 * code changes, where AWS lets the call end. A 5xx of Bucket still counts as a failure.
 *
 * @returns the response of Bucket, and whether the request may have been carried out before.
 */
async function answered(send: () => Promise<RawResponse>) {
  const began = performance.now()
  for (let isRepeated = false; ; isRepeated = true) {
    const response = await send()
    if (!isEmulators(response) || performance.now() - began > BUSY_MS) return { response, isRepeated }
    await pause(100)
  }
}

const title = async () => (json(await get(target, versionPath(freshRef()))) as { title: string }).title

test('changed code is deployed under load: the URL and the artifacts stay, and all stores in between are kept', {
  timeout: 300_000,
}, async () => {
  const { work, deployment } = given()
  const old = await stored(target, 'stored by the first release')
  expect(await title()).toBe(TITLE.before)

  let deploying = true
  const redeployed = deploy({ project: changedProject(work), work, env: process.env }).finally(() => {
    deploying = false
  })
  redeployed.catch(() => undefined) // if the test fails before this is awaited, the test's failure is reported
  const kept: { ref: Ref; body: string }[] = []
  const refused: number[] = []
  do {
    const { response: answer } = await answered(() => get(target, versionPath(old.ref)))
    expect(answer.status, answer.body.toString('utf8')).toBe(307)
    const body = `stored during the update: ${kept.length}`
    const ref = freshRef()
    const { response, isRepeated } = await answered(() => put(target, ref, body))
    const { status } = response
    // A store that was cut off may have been carried out: then the stored bytes are these.
    const isFound =
      isRepeated && status === 409 && (json(response) as { conflict?: string }).conflict === 'identical'
    const isStored = status === 201 || isFound
    if (isStored) kept.push({ ref, body })
    else refused.push(status)
    // This pause is not a wait: the update needs the processor more than the load does.
    await pause(100)
  } while (deploying)

  expect(await redeployed).toEqual(deployment)
  expect(refused).toEqual([])
  expect(await title()).toBe(TITLE.after)
  expect((await fetchBytes(target, versionPath(old.ref))).toString()).toBe('stored by the first release')
  expect(json(await get(target, `${versionPath(old.ref)}/entry`))).toEqual(old.entry)
  for (const { ref, body } of kept) expect((await fetchBytes(target, versionPath(ref))).toString()).toBe(body)
  expect((await put(target, old.ref, 'other bytes')).status).toBe(409)
})
