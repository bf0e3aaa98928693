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
    include: ['test/**/*.test.ts'],
    exclude: ['test/integration/**'],
  },
})
