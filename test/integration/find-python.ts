/**
 * Finds a Python for an emulator: on the PATH, or among pyenv's versions, which are often not on it. Only a Python that can
 * make virtual environments counts, because Debian's python3 cannot by default.
 */
import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ask } from './processes.ts'

const ASK_MS = 20_000

/** A program that this machine lacks, in a sentence for the user: a skip, and not a failure of the project. */
export class Missing extends Error {
  override readonly name = 'Missing'
}

async function pyenvPythons(): Promise<string[]> {
  const versions = join(process.env.PYENV_ROOT || join(homedir(), '.pyenv'), 'versions')
  const names = await readdir(versions).catch(() => []) // no pyenv
  return names.map((name) => join(versions, name, 'bin', 'python'))
}

/**
 * @param leastMinor of Python 3.
 * @throws Missing without such a Python that can make virtual environments.
 */
export async function findPython(leastMinor: number): Promise<string> {
  const named = [13, 14, 12, 11, 10].filter((minor) => minor >= leastMinor).map((minor) => `python3.${minor}`)
  let incomplete: string | undefined
  for (const candidate of [...named, 'python3', 'python', ...(await pyenvPythons())]) {
    const version = await ask(candidate, ['-c', 'import sys; print(*sys.version_info[:2])'], ASK_MS)
    const [major = 0, minor = 0] = version?.split(' ').map(Number) ?? []
    if (major !== 3 || minor < leastMinor) continue
    // The shims of pyenv print the path of the real interpreter.
    const path = await ask(candidate, ['-c', 'import ensurepip, venv, sys; print(sys.executable)'], ASK_MS)
    if (path) return path
    incomplete ??= candidate
  }
  throw new Missing(
    incomplete
      ? `${incomplete} cannot make virtual environments: install its venv module (Debian: python3-venv)`
      : `Python 3.${leastMinor} or newer is needed, and neither the PATH nor pyenv has one`,
  )
}
