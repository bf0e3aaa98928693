/**
 * Every interleaving of uploaders, verifiers, rivals and give-ups, with crashes and lost answers at every call of a store,
 * doubled and late deliveries, and clocks that jump: readers see nothing or exact bytes, one digest has the name, what was visible
 * stays, what was given up stays invisible, every upload comes to an end, and whoever tries again gets there.
 */
import { describe } from 'vitest'
import { UPLOAD_SCENARIOS } from './scenarios.ts'
import { searchAll } from './search.ts'

describe('every state of', () => searchAll(UPLOAD_SCENARIOS))
