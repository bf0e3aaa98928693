/**
 * LocalStack without Docker: the open core with the plugin of test/localstack, installed once into the cache.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { answers, type Emulator, freePort, PROJECT } from './emulator.ts'
import { findPython, Missing } from './find-python.ts'
import { installed, keyOf } from './install-cache.ts'
import { ask, run, serve, tail } from './processes.ts'

const PLUGIN = join(PROJECT, 'test', 'localstack')
/** The core imports names of the standard library that came with this release. */
const LEAST_PYTHON_MINOR = 13
const INSTALL_MS = 480_000
const START_MS = 90_000

async function pins(): Promise<string[]> {
  const names = await readdir(PLUGIN, { recursive: true, withFileTypes: true })
  return names
    .filter((entry) => entry.isFile() && /\.(txt|toml|xml|java|py|cjs|sh)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

/**
 * @param work a folder for the log of the installation.
 * @throws Missing when this machine has no Python, JDK or Maven for it.
 */
export async function installLocalStack(work: string): Promise<string> {
  const python = await findPython(LEAST_PYTHON_MINOR)
  return installed(`localstack-${await keyOf(await pins(), python)}`, async (folder) => {
    for (const [tool, flag] of [
      ['javac', '-version'],
      ['mvn', '-version'],
    ] as const)
      if ((await ask(tool, [flag], 30_000)) === undefined)
        throw new Missing(`${tool} is needed, and not on the PATH (Debian: default-jdk-headless, maven)`)
    console.log(`installing LocalStack with ${python} (about a minute, once)`)
    await run(join(PLUGIN, 'install.sh'), [folder], INSTALL_MS, {
      env: { ...process.env, PYTHON: python },
      output: { file: join(work, 'install.log') },
    })
  })
}

/** @param work a folder of this run, for its log and its files. */
export async function startLocalStack(work: string): Promise<Emulator> {
  const folder = await installLocalStack(work)
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const temporary = join(work, 'localstack')
  await mkdir(temporary)
  const { logFile } = await serve(
    join(PLUGIN, 'start.sh'),
    [folder, String(port)],
    START_MS,
    {
      env: { ...process.env, FILESYSTEM_ROOT: temporary },
      output: { file: join(work, 'localstack.log') },
    },
    () => answers(`${endpoint}/_localstack/health`),
  )
  return {
    description: 'LocalStack 2026.3.0 without Docker',
    endpoint,
    log: async () => tail(logFile, 80),
  }
}
