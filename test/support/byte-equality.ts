/**
 * Compares bytes as a whole in `toEqual` and `toStrictEqual`. Vitest compares them element by element, which takes seconds for a few
 * MiB.
 */
import { expect } from 'vitest'

expect.addEqualityTesters([
  (actual: unknown, expected: unknown) =>
    actual instanceof Uint8Array && expected instanceof Uint8Array
      ? Buffer.compare(actual, expected) === 0
      : undefined,
])
