/** The command line of the current sources, for tests that start it as a process. */
import { resolve } from 'node:path'

/** The variable in which `build-program.ts` leaves the path of its bundle to the tests of the run. */
export const BUNDLE = 'TEST_BUNDLE'

/** By its path, because commands run in folders without packages. */
const TSX = resolve('node_modules/tsx/dist/esm/index.mjs')

/** The arguments of `node` that run `bucket`. Outside of a run of tests there is no bundle, and the sources run as they are. */
export const BUCKET: readonly string[] = process.env[BUNDLE]
  ? [process.env[BUNDLE]]
  : ['--import', TSX, resolve('bin/bucket.ts')]
