/** Faults in `lib/flow/`. */
import type { Mutant } from '../mutant.ts'

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'a failed task does not stop the other tasks',
    file: 'lib/flow/run-at-once.ts',
    from: '    stop.abort(error)\n',
    to: '',
    tests: ['test/unit/flow/flow.test.ts'],
  },
  {
    fault: 'a semaphore lets one task more in',
    file: 'lib/flow/semaphore.ts',
    from: 'if (this.#free > 0) {',
    to: 'if (this.#free >= 0) {',
    tests: ['test/unit/flow/flow.test.ts'],
  },
]
