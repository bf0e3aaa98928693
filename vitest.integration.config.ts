/**
 * The suites that need a deployment on an emulator; `npm run test:integration` starts both and runs these (docs/emulators.md).
 * One file after the other, and those that change the deployment at the end.
 */
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { CountingReporter } from './test/integration/counting-reporter.ts'

const LAST = ['redeploy.test.ts', 'restore.test.ts', 'destroy.test.ts']
const rank = ({ moduleId }: TestSpecification) => LAST.findIndex((name) => moduleId.endsWith(`/${name}`))

class ChangesLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => rank(a) - rank(b) || a.moduleId.localeCompare(b.moduleId))
  }
}

export default defineConfig({
  test: {
    setupFiles: 'test/support/byte-equality.ts',
    include: ['test/integration/**/*.test.ts'],
    fileParallelism: false,
    sequence: { sequencer: ChangesLast },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', new CountingReporter()],
  },
})
