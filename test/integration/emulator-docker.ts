/** LocalStack in a container, in the version that compose.yaml pins, for machines with a running Docker engine. */
import { join } from 'node:path'
import { answers, type Emulator, freePort, PROJECT } from './emulator.ts'
import { ask, onStop, run } from './processes.ts'

const PULL_AND_START_MS = 600_000

/** Whether a Docker engine runs and has Compose. */
export async function dockerAnswers(): Promise<boolean> {
  const engine = await ask('docker', ['info', '--format', '{{.ServerVersion}}'], 5_000)
  return Boolean(engine) && (await ask('docker', ['compose', 'version'], 5_000)) !== undefined
}

export async function startLocalStackInDocker(work: string): Promise<Emulator> {
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const compose = ['compose', '-f', join(PROJECT, 'compose.yaml'), '-p', `bucket-integration-${process.pid}`]
  const env = { ...process.env, LOCALSTACK_PORT: String(port) }
  const output = { file: join(work, 'docker.log') }
  onStop(() => run('docker', [...compose, 'down', '--volumes', '--timeout', '5'], 60_000, { env, output }))
  await run('docker', [...compose, 'up', '--detach', '--wait'], PULL_AND_START_MS, { env, output })
  if (!(await answers(`${endpoint}/_localstack/health`))) throw new Error(`${endpoint} does not answer`)
  return {
    description: 'LocalStack in Docker (compose.yaml)',
    endpoint,
    log: async () => (await ask('docker', [...compose, 'logs', '--tail', '80'], 30_000)) ?? '',
  }
}
