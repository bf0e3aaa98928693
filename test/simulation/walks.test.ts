/**
 * Random walks through scenarios too large for a complete search: uploaders of two modes, one that restarts, a rival store and a rival
 * upload, an overwritten part, expiry, many faults. `BUCKET_SIMULATION_WALKS` and `BUCKET_SIMULATION_SEED` choose how many and which; a
 * failure prints its seed and its steps.
 */
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { givesUp, OTHER, RIGHT, replacesPart, startsOver, stores, uploads, WRONG_BYTES } from './artifacts.ts'
import { walk } from './explore.ts'
import { withoutStackTraces } from './search.ts'
import { type Actor, type Scenario, UploadWorld } from './upload-world.ts'

/** 200 notice every fault in `test/mutants/lists/repository.ts` that 1000 notice. */
const WALKS = Number(process.env.BUCKET_SIMULATION_WALKS ?? 250)
const SEED = Number(process.env.BUCKET_SIMULATION_SEED ?? 20_260_611)

const budget = { faults: 4, delays: 3, duplicates: 3 }

const CROWDS: Readonly<
  Record<string, { readonly actors: readonly Actor[]; readonly isDishonest?: boolean }>
> = {
  'uploaders of the same bytes': {
    actors: [
      uploads('A', RIGHT, 'multipart'),
      uploads('B', RIGHT, 'single'),
      startsOver('C', RIGHT, 'multipart'),
      givesUp('G', RIGHT),
    ],
  },
  'uploaders and rivals with other bytes': {
    actors: [
      uploads('A', RIGHT, 'multipart'),
      startsOver('B', OTHER, 'multipart'),
      stores('R', OTHER),
      stores('S', RIGHT),
      replacesPart('P', RIGHT, WRONG_BYTES),
    ],
  },
  'uploaders to a store that ignores checksums': {
    isDishonest: true,
    actors: [
      uploads('A', RIGHT, 'multipart'),
      uploads('W', RIGHT, 'multipart', WRONG_BYTES),
      startsOver('B', RIGHT, 'single'),
      stores('R', OTHER),
    ],
  },
}

/** Prefers normal steps, because faults and delays are most of the choices. */
function pick(random: () => number, choices: readonly string[]): string {
  const isCalm = random() < 0.85
  const calm = choices.filter((choice) => !/(fails|dies) |^time passes$|again$/.test(choice))
  const among = isCalm && calm.length > 0 ? calm : choices
  const choice = among[Math.floor(random() * among.length)]
  if (choice === undefined) throw new Error('nothing to choose from')
  return choice
}

describe('a random walk among', () => {
  for (const [name, crowd] of Object.entries(CROWDS))
    it(
      `${name} keeps every promise`,
      async () => {
        const scenario: Scenario = { ...crowd, budget }
        const property = fc.asyncProperty(fc.integer(), async (seed) => {
          const random = generator(seed)
          await walk(
            () => UploadWorld.make(scenario),
            (choices) => pick(random, choices),
          )
        })
        await withoutStackTraces(() =>
          fc.assert(property, { numRuns: WALKS, seed: SEED, endOnFailure: true }),
        )
      },
      24 * 3600_000,
    )
})

/** A small generator with a seed (mulberry32): numbers from 0 to below 1. */
function generator(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
