/**
 * Every state that interleavings of uploaders, verifiers, rivals and aborts reach, with crashes and lost responses at every call of a store,
 * duplicate and late deliveries, and clocks that jump: readers see 404 or exact bytes, one digest has the name, visible entries
 * stay, aborted uploads stay invisible, every upload ends, and a retry succeeds.
 */
import { describe } from 'vitest'
import { UPLOAD_SCENARIOS } from './scenarios.ts'
import { searchAll } from './search.ts'

describe('every state of', () => searchAll(UPLOAD_SCENARIOS))
