/** MiniStack, from PyPI: a second emulator that shows what LocalStack cannot (docs/emulators.md). */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { answers, type Emulator, freePort, PROJECT } from './emulator.ts'
import { findPython } from './find-python.ts'
import { installed, keyOf } from './install-cache.ts'
import { run, serve, tail } from './processes.ts'

/** boto3 is not among its own requirements, but bucket notifications hang without it; all three must fit together. */
const PINS = ['ministack==1.5.33', 'boto3==1.43.106', 'botocore==1.43.106']
const LEAST_PYTHON_MINOR = 10
const INSTALL_MS = 300_000
const START_MS = 60_000

/** @param work a folder for the log of the installation. */
export async function installMiniStack(work: string): Promise<string> {
  const python = await findPython(LEAST_PYTHON_MINOR)
  return installed(`ministack-${await keyOf([], python, ...PINS)}`, async (folder) => {
    console.log(`installing MiniStack with ${python} (about 15 s, once)`)
    const options = { output: { file: join(work, 'install.log') } }
    await run(python, ['-m', 'venv', join(folder, 'venv')], INSTALL_MS, options)
    const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', ...PINS]
    await run(join(folder, 'venv', 'bin', 'python'), pip, INSTALL_MS, options)
  })
}

/** @param work a folder of this run, for its log and its files. */
export async function startMiniStack(work: string): Promise<Emulator> {
  const folder = await installMiniStack(work)
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const temporary = join(work, 'ministack')
  await mkdir(temporary)
  const { logFile } = await serve(
    join(folder, 'venv', 'bin', 'ministack'),
    [],
    START_MS,
    {
      cwd: temporary,
      env: {
        ...process.env,
        BIND_HOST: '127.0.0.1',
        GATEWAY_PORT: String(port),
        IOT_MTLS_ENABLED: '0',
        NODE_PATH: join(PROJECT, 'node_modules'),
        TMPDIR: temporary,
      },
      output: { file: join(work, 'ministack.log') },
    },
    () => answers(`${endpoint}/_ministack/health`),
  )
  return { description: `MiniStack (${PINS[0]})`, endpoint, log: async () => tail(logFile, 80) }
}
