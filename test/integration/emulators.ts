/** Choosing, starting and stopping an emulator, for the suites and for `npm run emulator`. */
import { parseArgs } from 'node:util'
import { EMULATORS, type Emulator, type EmulatorName } from './emulator.ts'
import { dockerAnswers, startLocalStackInDocker } from './emulator-docker.ts'
import { startLocalStack } from './emulator-localstack.ts'
import { startMiniStack } from './emulator-ministack.ts'
import { stopEverything } from './processes.ts'

/** The emulator that `--emulator` names. Exits with status 1 and the usage if the arguments are invalid. */
export function emulatorOrExit(fallback: EmulatorName, command: string): EmulatorName {
  const usage = `usage: ${command} [-- --emulator ${EMULATORS.join('|')}]`
  try {
    const { values } = parseArgs({ options: { emulator: { type: 'string', default: fallback } } })
    const name = EMULATORS.find((known) => known === values.emulator)
    if (name !== undefined) return name
    console.error(`Unknown emulator ${values.emulator}; valid emulators: ${EMULATORS.join(', ')}\n${usage}`)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    console.error(`${error.message}\n${usage}`)
  }
  process.exit(1)
}

/**
 * Starts an emulator on a free port of loopback, or uses the one at `AWS_ENDPOINT_URL`.
 *
 * @param work a folder of this run, for its log and its files.
 * @throws Missing if this machine lacks what the emulator needs.
 */
export async function startEmulator(name: EmulatorName, work: string): Promise<Emulator> {
  const running = process.env.AWS_ENDPOINT_URL
  if (running)
    return {
      description: `${name} at AWS_ENDPOINT_URL`,
      endpoint: running.replace(/\/$/, ''),
      log: async () => 'this run did not start the emulator and has no log of it',
    }
  if (name === 'ministack') return startMiniStack(work)
  return (await dockerAnswers()) ? startLocalStackInDocker(work) : startLocalStack(work)
}

/** On SIGINT, SIGTERM and SIGHUP, stops every process that was started, cleans up and exits with `status`. */
export function stopOnSignals(cleanup: () => Promise<void>, status = 1): void {
  // A terminal and npm may both pass the same signal on, so only the first one counts.
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      console.log(`${signal}: stopping the emulator`)
      void stopEverything()
        .then(cleanup)
        .finally(() => process.exit(status))
    })
}
