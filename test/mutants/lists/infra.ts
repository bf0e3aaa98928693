/** Faults in `lib/infra/`. */
import type { Mutant } from '../mutant.ts'

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'the bucket policy lets anybody delete blobs',
    file: 'lib/infra/blob-storage.ts',
    from: "actions: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],",
    to: "actions: ['s3:BypassGovernanceRetention'],",
    tests: ['test/infra/protection.test.ts'],
  },
]
