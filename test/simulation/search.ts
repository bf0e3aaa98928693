/**
 * Runs the searches. In `npm test` the largest of them stop early; `npm run test:exhaustive` visits every state. With
 * `BUCKET_SIMULATION=deep` they have more faults, delays and duplicates, and take hours. A failure prints the steps that lead to it.
 */
import { expect, it } from 'vitest'
import { IS_EXHAUSTIVE } from '../support/exhaustive.ts'
import { exploreAll } from './explore.ts'
import type { NamedScenario } from './scenarios.ts'
import { UploadWorld } from './upload-world.ts'

export const IS_DEEP = process.env.BUCKET_SIMULATION === 'deep'

/** Eight scenarios have more states, which take most of the time. */
const MOST_STATES = IS_DEEP || IS_EXHAUSTIVE ? Number.POSITIVE_INFINITY : 1_500
const UP_TO = MOST_STATES === Number.POSITIVE_INFINITY ? '' : `, up to ${MOST_STATES} states`

/** Bounds an endless search: far more than any search needs on a busy machine, in milliseconds. */
const LIMIT_MS = IS_DEEP ? 24 * 3600_000 : 120_000

/** One test for each scenario: every state that the search visits keeps every promise. */
export function searchAll(scenarios: readonly NamedScenario[]): void {
  for (const { name, deep, ...scenario } of scenarios) {
    const budget = IS_DEEP ? deep : scenario.budget
    const { faults, delays, duplicates } = budget
    it(
      `${name} (${faults} faults, ${delays} delays, ${duplicates} duplicates${UP_TO})`,
      async () => {
        const found = await withoutStackTraces(() =>
          exploreAll(() => UploadWorld.make({ ...scenario, budget }), MOST_STATES),
        )
        expect(found.isComplete || found.states === MOST_STATES).toBe(true)
        expect(found.ends).toBeGreaterThan(0)
      },
      LIMIT_MS,
    )
  }
}

/** The search creates thousands of errors, and most of their cost is the unused stack trace. */
export async function withoutStackTraces<T>(work: () => Promise<T>): Promise<T> {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return await work()
  } finally {
    Error.stackTraceLimit = limit
  }
}
