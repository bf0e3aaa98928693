/** Runs every test that needs no emulator. The scripts of package.json choose among its projects. */
import { availableParallelism } from 'node:os'
import { relative } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The tests of what users run: the built packages, the blocks of the pages, clients in other languages. */
const PACKAGE = 'test/package/**/*.test.ts'
/**
 * Tests that change the environment or functions of their process, count what their process holds, or load the functions of the service
 * with settings of their own.
 */
const ALONE = ['test/unit/lambda/**/*.test.ts', 'test/unit/client/network.test.ts']
/** The tests that move more bytes than a process may hold, or connect hundreds of times. */
const LARGE = ['test/e2e/large.test.ts', 'test/e2e/memory.test.ts']
/** The tests that try more cases or larger bodies in an exhaustive run (`IS_EXHAUSTIVE`). */
const DEEPER = [
  'test/e2e/durability.test.ts',
  'test/e2e/resume.test.ts',
  'test/e2e/uploads.test.ts',
  'test/simulation/uploads.test.ts',
  'test/unit/local/format-1.test.ts',
  'test/unit/local/ledger/kill.test.ts',
]
/** Costly files begin early, so that none of them runs on when the others have ended. */
const COSTLY = ['test/simulation/', 'test/e2e/']
/** Most of their time these wait for a limit to pass, so costly files run next to them. */
const WAITING = [
  'test/contract/http-local',
  'test/contract/hot-path',
  'test/unit/aws/s3-',
  'test/unit/cli/',
  'test/unit/client/',
]

class Balanced extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const within = (folders: readonly string[]) =>
      sorted.filter(({ moduleId }) => folders.some((folder) => relative('.', moduleId).startsWith(folder)))
    const [costly, waiting] = [within(COSTLY), within(WAITING)]
    const mixed = costly.flatMap((file, at) => [file, ...waiting.slice(at, at + 1)])
    const order = [...new Set([...mixed, ...waiting, ...sorted])]
    // The files of a project stay together, because its workers end when a file of another project is next.
    const isService = ({ project }: TestSpecification) => project.name === 'service'
    return order.toSorted(
      (a, b) => Number(isService(a)) - Number(isService(b)) || a.project.name.localeCompare(b.project.name),
    )
  }
}

export default defineConfig({
  test: {
    setupFiles: ['test/support/byte-equality.ts', 'test/support/property-reports.ts'],
    // These limits end hung tests, not slow ones: one sync of a busy disk may take seconds.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    // Many tests wait for a disk, a process or a timer, so two more than there are processors keep all of them busy.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: Balanced },
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          globalSetup: 'test/support/build-program.ts',
        },
      },
      // These share workers and loaded modules, because a worker of its own costs a file more than most of its tests.
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/infra/**', 'test/browser/**', ...ALONE, PACKAGE, ...LARGE],
          globalSetup: 'test/support/build-program.ts',
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'exhaustive',
          include: [...LARGE, ...DEEPER],
          env: { BUCKET_EXHAUSTIVE: '1' },
          globalSetup: 'test/support/build-program.ts',
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: [PACKAGE],
          globalSetup: ['test/package/build.ts', 'test/support/build-program.ts'],
        },
      },
      // Loading the CDK takes seconds, so these files share workers, their modules and their synthesized stacks.
      {
        extends: true,
        test: {
          name: 'infra',
          include: ['test/infra/**/*.test.ts'],
          globalSetup: 'test/infra/scratch-folder.ts',
          isolate: false,
        },
      },
    ],
  },
})
