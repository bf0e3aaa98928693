/** Runs every test that needs no emulator. */
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** The tests that run the built packages, as users do. */
const PACKAGE = ['test/package/**/*.test.ts', 'test/e2e/readme.test.ts']

export default defineConfig({
  test: {
    setupFiles: 'test/support/byte-equality.ts',
    // These limits end hung tests, not slow ones: one sync of a busy disk may take seconds.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'service',
          globalSetup: 'test/support/build-program.ts',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/infra/**', 'test/browser/**', ...PACKAGE],
          // Tests mostly wait for a disk, a process or a timer, so two of them share two processors well.
          maxWorkers: Math.max(2, availableParallelism() - 1),
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: PACKAGE,
          globalSetup: ['test/package/build.ts', 'test/support/build-program.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      // Loading the CDK takes seconds, so these files share one worker, its modules and its synthesized stacks.
      {
        extends: true,
        test: {
          name: 'infra',
          include: ['test/infra/**/*.test.ts'],
          globalSetup: 'test/infra/scratch-folder.ts',
          isolate: false,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
