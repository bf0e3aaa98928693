/**
 * The tests of the page in a real browser (`npm run test:browser`). They build the page first. Without a Chromium on this machine they
 * are skipped and counted.
 */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    setupFiles: 'test/support/byte-equality.ts',
    include: ['test/browser/**/*.test.ts'],
    globalSetup: ['test/support/build-program.ts', 'test/browser/build.ts'],
    // One browser at a time keeps both cores of a small machine busy.
    fileParallelism: false,
    // These limits end hung tests, not slow ones.
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
})
