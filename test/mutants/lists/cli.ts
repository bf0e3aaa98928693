/** Faults in `lib/cli/`. */
import type { Mutant } from '../mutant.ts'

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'wrong bytes have the exit code of an unexpected failure',
    file: 'lib/cli/exit-code-of.ts',
    from: '  digest_mismatch: EXIT.digestMismatch,',
    to: '  digest_mismatch: EXIT.unexpected,',
    tests: ['test/unit/cli/exit-codes.test.ts'],
  },
  {
    fault: 'fsck exits with 0 although an entry lost its bytes',
    file: 'lib/cli/fsck-command.ts',
    from: 'if (damagedCount > 0) throw new ExitError(EXIT.digestMismatch)',
    to: '',
    tests: ['test/unit/cli/fsck.test.ts'],
  },
  {
    fault: 'the failure of a stop is taken for the signal',
    file: 'lib/cli/run.ts',
    from: 'signal.aborted && ownError === cause',
    to: 'signal.aborted',
    tests: ['test/unit/cli/serve.test.ts'],
  },
]
