/** Stores in one request, with crashes and lost answers at every call of a store, sent again until they are answered. */
import { describe } from 'vitest'
import { STORE_SCENARIOS } from './scenarios.ts'
import { searchAll } from './search.ts'

describe('every state of', () => searchAll(STORE_SCENARIOS))
