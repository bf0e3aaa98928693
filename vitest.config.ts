/**
 * Runs every test that needs no emulator. The condition `source` makes the `#…` aliases and the package's own
 * exports resolve to TypeScript, so that what is tested is what is written.
 */
import { defineConfig } from 'vitest/config'

const conditions = ['source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/infra/**'],
        },
      },
      // Loading the CDK takes seconds: these files share one worker and what it has loaded and synthesized.
      {
        extends: true,
        test: {
          name: 'infra',
          include: ['test/infra/**/*.test.ts'],
          isolate: false,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
