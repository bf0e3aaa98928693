/** Runs every test that needs no emulator. */
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** What runs the built packages, as a user does. */
const PACKAGE = ['test/package/**/*.test.ts', 'test/e2e/readme.test.ts']

export default defineConfig({
  test: {
    // For what hangs, never for what is slow: a disk that others write to may take seconds for one sync.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/infra/**', ...PACKAGE],
          // Much of a test is waiting for a disk, a process or a time limit, so that two share two processors well.
          maxWorkers: Math.max(2, availableParallelism() - 1),
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: PACKAGE,
          globalSetup: 'test/package/build.ts',
          maxWorkers: 2,
        },
      },
      // Loading the CDK takes seconds: these files share one worker and what it has loaded and synthesized.
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
