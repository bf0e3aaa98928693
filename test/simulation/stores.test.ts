/** Stores in one request, with crashes and lost responses at every call of a store, repeated until there is a response. */
import { describe } from 'vitest'
import { STORE_SCENARIOS } from './scenarios.ts'
import { searchAll } from './search.ts'

describe('every state of', () => searchAll(STORE_SCENARIOS))
