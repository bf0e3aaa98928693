/** The search leaves out steps that commute. It leaves out no state: the same search with every step visits as many states and ends. */
import { describe, expect, it } from 'vitest'
import { exploreAll } from './explore.ts'
import { STORE_SCENARIOS, UPLOAD_SCENARIOS } from './scenarios.ts'
import { withoutStackTraces } from './search.ts'
import { UploadWorld } from './upload-world.ts'

/** Small ones, among them faults, rivals, verifiers and lost blobs. */
const SMALL = [...STORE_SCENARIOS, ...UPLOAD_SCENARIOS].filter(({ name }) =>
  [
    'two stores of the same bytes',
    'two stores that restore one lost blob, and a fetch',
    'two uploaders of the same single upload',
    'a rival upload of other bytes',
    'right parts with a wrong whole',
  ].includes(name),
)

describe('the search without steps that commute visits every state of', () => {
  it.each(SMALL)('$name', { timeout: 120_000 }, async (scenario) => {
    const makeWorld = () => UploadWorld.make(scenario)
    const makeFullWorld = async () => Object.assign(await makeWorld(), { commute: () => false })
    const [reduced, full] = await withoutStackTraces(async () => [
      await exploreAll(makeWorld),
      await exploreAll(makeFullWorld),
    ])
    expect(reduced).toEqual(full)
    expect(full.states).toBeGreaterThan(50)
  })
  it('five scenarios', () => expect(SMALL).toHaveLength(5))
})
