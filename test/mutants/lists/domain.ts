/** Faults in `lib/domain/`. */
import type { Mutant } from '../mutant.ts'

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'a digest in upper case is accepted',
    file: 'lib/domain/digest.ts',
    from: "export const DIGEST_PATTERN = '^sha256:[0-9a-f]{64}$'",
    to: "export const DIGEST_PATTERN = '^sha256:[0-9a-fA-F]{64}$'",
    tests: ['test/unit/domain/digest.test.ts'],
  },
  {
    fault: 'an identifier may have 129 characters',
    file: 'lib/domain/identifiers.ts',
    from: 'const MAX_LENGTH = 128',
    to: 'const MAX_LENGTH = 129',
    tests: ['test/unit/domain/identifiers.test.ts'],
  },
  {
    fault: 'parts of the largest uploads are too many',
    file: 'lib/domain/limits.ts',
    from: 'Math.ceil(Math.max(16 * MIB, Math.ceil(size / 9000)) / MIB) * MIB',
    to: '16 * MIB',
    tests: ['test/unit/domain/limits.test.ts'],
  },
  {
    fault: 'a fetch of lost bytes asks for a retry',
    file: 'lib/domain/errors.ts',
    from: '  blob_lost: FINAL,',
    to: '  blob_lost: RETRYABLE,',
    tests: ['test/unit/domain/errors.test.ts'],
  },
]
