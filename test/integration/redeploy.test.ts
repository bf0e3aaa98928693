/** A deployment that is updated with other code keeps its URL and its artifacts, and gives no wrong answer meanwhile. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import type { RawResponse } from '#support/raw-http'
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
import { deployedTarget } from './deployed-target.ts'
import { changedProject, deploy, TITLE } from './deployment.ts'
import { given } from './given.ts'
import { stopEverything } from './processes.ts'

const target = deployedTarget()
afterAll(stopEverything)
const BUSY = 503
/** How long an update may keep callers waiting, in milliseconds. */
const BUSY_MS = 5_000

/**
 * As every client does: 503 says nothing about what was asked, and the request is sent again (docs/http-api.md, section 8). A
 * function whose code changes under a call is stopped in its middle by an emulator, where AWS lets it end.
 */
async function answered(send: () => Promise<RawResponse>): Promise<RawResponse> {
  const began = performance.now()
  for (;;) {
    const response = await send()
    if (response.status !== BUSY || performance.now() - began > BUSY_MS) return response
    await pause(100)
  }
}

const title = async () => (json(await get(target, versionPath(freshRef()))) as { title: string }).title

test('changed code is deployed under load: the URL stays, artifacts stay, stores in between are all there', {
  timeout: 300_000,
}, async () => {
  const { work, deployment } = given()
  const old = await stored(target, 'stored by the first release')
  expect(await title()).toBe(TITLE.before)

  let deploying = true
  const redeployed = deploy({ project: changedProject(work), work, env: process.env }).finally(() => {
    deploying = false
  })
  redeployed.catch(() => undefined) // where the test fails before it is awaited, that is what is told
  const kept: { ref: Ref; body: string }[] = []
  const refused: number[] = []
  do {
    const answer = await answered(() => get(target, versionPath(old.ref)))
    expect(answer.status, answer.body.toString('utf8')).toBe(307)
    const body = `stored during the update: ${kept.length}`
    const ref = freshRef()
    const { status, body: problem } = await answered(() => put(target, ref, body))
    // 409 after a 503 whose store was done all the same.
    const isStored =
      status === 201 || (status === 409 && JSON.parse(problem.toString()).conflict === 'identical')
    if (isStored) kept.push({ ref, body })
    else refused.push(status)
    // A pause, not a wait for something: the update needs the processor more than the load does.
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
