/** Faults in `lib/mcp/`. */
import type { Mutant } from '../mutant.ts'

const TESTS = ['test/unit/mcp/roots.test.ts']

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'a tool reads the file that a symlink leads to once the path was checked',
    file: 'lib/mcp/roots.ts',
    from: '      this.#check(await pathOf(handle, asked), path)\n',
    to: '      await pathOf(handle, asked)\n',
    tests: TESTS,
  },
  {
    fault: 'a tool writes by the name of a folder, not into the folder that was checked',
    file: 'lib/mcp/roots.ts',
    from: "process.platform === 'linux' ? openedPath(handle) : real",
    to: 'real',
    tests: TESTS,
  },
  {
    fault: 'a root is also the start of other names',
    file: 'lib/mcp/roots.ts',
    from: 'const way = relative(folder, path)\n',
    to: "const way = path.startsWith(folder) ? '' : relative(folder, path)\n",
    tests: TESTS,
  },
  {
    fault: 'the home folder is a default root',
    file: 'lib/mcp/roots.ts',
    from: 'return contains(currentFolder, homeFolder) ? [] : [currentFolder]',
    to: 'return [currentFolder]',
    tests: TESTS,
  },
  {
    fault: 'progress falls when bytes are lost',
    file: 'lib/mcp/progress.ts',
    from: 'inPhase = Math.max(inPhase, bytes)',
    to: 'inPhase = bytes\n    lastSent = 0',
    tests: ['test/unit/mcp/progress.test.ts'],
  },
]
