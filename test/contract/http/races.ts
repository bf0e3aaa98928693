/** The promises that hold while other clients store at the same time (docs/http-api.md, section 9). */
import { describe, expect, test } from 'vitest'
import { expectProblem } from '../../support/problem.ts'
import {
  entryPath,
  expectEntry,
  fetchBytes,
  freshRef,
  get,
  json,
  listPath,
  put,
  type Ref,
  sha256,
  versionPath,
} from './requests.ts'
import { needs, type Target, type TargetThunk } from './target.ts'

const RACERS = 20

/** Sends all stores at once. Returns the entry of the winner after it has checked the response of every loser. */
async function race(target: Target, ref: Ref, bodies: readonly string[]) {
  // A front may start a process for each request. These start them before the race, which would otherwise be spread over seconds.
  await Promise.all(bodies.map(() => put(target, freshRef(), 'warm-up')))
  const responses = await Promise.all(
    bodies.map((body, at) => put(target, ref, body, [['X-Uploaded-By', `racer-${at}`]])),
  )
  const winners = responses.filter(({ status }) => status === 201)
  expect(responses.map(({ status }) => status).sort()).toEqual([201, ...Array(bodies.length - 1).fill(409)])
  const winner = expectEntry(json(winners[0] ?? expect.fail('no store won')))
  responses.forEach((response, at) => {
    const body = bodies[at] ?? ''
    if (response.status === 201)
      expect(winner).toMatchObject({ digest: sha256(body), uploaded_by: `racer-${at}` })
    else
      expect(expectProblem(response, 'version_exists')).toMatchObject({
        conflict: sha256(body) === winner.digest ? 'identical' : 'different',
        declared_digest: sha256(body),
        stored: winner,
      })
  })
  return winner
}

export function describeRaces(target: TargetThunk): void {
  describe('races', { timeout: 60_000 }, () => {
    test(`of ${RACERS} concurrent stores of the same bytes exactly one gets 201, every other 409 identical with the winner's entry`, async (context) => {
      needs(context, target(), 'concurrency')
      const ref = freshRef()
      const winner = await race(target(), ref, Array(RACERS).fill('same bytes'))
      expect(json(await get(target(), entryPath(ref)))).toEqual(winner)
      expect((await fetchBytes(target(), versionPath(ref))).toString()).toBe('same bytes')
    })

    test(`of ${RACERS} concurrent stores of different bytes exactly one gets 201, and its bytes are the ones that are read`, async (context) => {
      needs(context, target(), 'concurrency')
      const ref = freshRef()
      const bodies = Array.from({ length: RACERS }, (_, at) => `bytes of racer ${at}`)
      const winner = await race(target(), ref, bodies)
      expect(json(await get(target(), listPath(ref)))).toEqual({ versions: [winner], next_cursor: null })
      const bytes = await fetchBytes(target(), versionPath(ref))
      expect(sha256(bytes)).toBe(winner.digest)
      expect(bodies).toContain(bytes.toString())
    })

    test('a reader during stores gets 404, or from then on the same entry', async (context) => {
      needs(context, target(), 'concurrency')
      const ref = freshRef()
      const seen = new Set<string>()
      let storing = true
      const reader = (async () => {
        do {
          const response = await get(target(), entryPath(ref))
          if (response.status === 200) seen.add(response.body.toString('utf8'))
          else expectProblem(response, 'version_not_found')
        } while (storing && seen.size < 5)
      })()
      const winner = await race(target(), ref, ['a', 'b', 'c', 'd']).finally(() => {
        storing = false
      })
      await reader
      seen.add((await get(target(), entryPath(ref))).body.toString('utf8'))
      expect([...seen].map((text) => JSON.parse(text))).toEqual([winner])
    })

    test('a store with wrong bytes does not affect concurrent stores of the right ones', async (context) => {
      needs(context, target(), 'concurrency')
      const ref = freshRef()
      const declared = [['X-Artifact-Digest', sha256('right')]] as const
      const responses = await Promise.all([
        put(target(), ref, 'wrong', declared),
        put(target(), ref, 'right'),
        put(target(), ref, 'wrong', declared),
      ])
      expect(responses[1]?.status).toBe(201)
      for (const wrong of [responses[0], responses[2]]) expect([400, 409]).toContain(wrong?.status)
      expect((await fetchBytes(target(), versionPath(ref))).toString()).toBe('right')
    })
  })
}
