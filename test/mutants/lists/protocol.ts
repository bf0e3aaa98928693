/** Faults in `lib/protocol/`. */
import type { Mutant } from '../mutant.ts'

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'a conflict has the status of another error',
    file: 'lib/protocol/errors.ts',
    from: '  version_exists: 409,',
    to: '  version_exists: 412,',
    tests: ['test/unit/domain/errors.test.ts'],
  },
  {
    fault: 'a range that begins at the size is served',
    file: 'lib/protocol/range.ts',
    from: 'return first >= size ?',
    to: 'return first > size ?',
    tests: ['test/contract/http-in-process.test.ts'],
    titles: 'range',
  },
]
