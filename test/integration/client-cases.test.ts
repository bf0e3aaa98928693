/**
 * Both clients keep the cases of every client (test/client-cases) on the deployed API: inline stores, uploads to the store, redirects
 * and problems of the gateway, as their users meet them. Each driver runs in a process of its own, as for the local server.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, it } from 'vitest'
import { PROJECT } from './emulator.ts'
import { findPython, Missing } from './find-python.ts'
import { given } from './given.ts'
import { installed, keyOf } from './install-cache.ts'
import { run } from './processes.ts'

const CASES_MS = 300_000
const LEAST_PYTHON_MINOR = 10
/** All that the Python driver needs: the client itself has no dependencies. */
const PYTHON_PINS = ['pytest==9.2.0']

let work: string

beforeAll(async () => {
  work = join(given().work, 'client-cases')
  await mkdir(work)
})

/** Runs a driver against the deployment; a failure shows the end of what the driver wrote. */
const keepCases = (name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  run(command, args, CASES_MS, {
    cwd: PROJECT,
    env: { ...process.env, VITEST: undefined, ...env, CLIENT_CASES_URL: given().deployment.apiRoot },
    output: { file: join(work, `${name}.log`) },
  })

/** A Python with pytest, installed once for all runs of this machine. */
async function pythonWithPytest(): Promise<string> {
  const python = await findPython(LEAST_PYTHON_MINOR)
  const folder = await installed(`client-cases-${await keyOf([], python, ...PYTHON_PINS)}`, async (at) => {
    const options = { output: { file: join(work, 'install.log') } }
    await run(python, ['-m', 'venv', join(at, 'venv')], CASES_MS, options)
    const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', ...PYTHON_PINS]
    await run(join(at, 'venv', 'bin', 'python'), pip, CASES_MS, options)
  })
  return join(folder, 'venv', 'bin', 'python')
}

describe('the cases of every client hold on the deployed API', { timeout: 2 * CASES_MS }, () => {
  it('for the TypeScript client', async () => {
    const vitest = join(PROJECT, 'node_modules', 'vitest', 'vitest.mjs')
    await keepCases('typescript', process.execPath, [vitest, 'run', 'test/client-cases'])
  })

  it('for the Python client', async (context) => {
    const python = await pythonWithPytest().catch((error: unknown) => {
      if (error instanceof Missing) return context.skip(error.message)
      throw error
    })
    const driver = join('python', 'tests', 'test_client_cases.py')
    // The schema is not a promise of the deployment.
    const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', driver, '-k', 'cases_of_every_client']
    await keepCases('python', python, args, { PYTHONPATH: join(PROJECT, 'python', 'src') })
  })
})
