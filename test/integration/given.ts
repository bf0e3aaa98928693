/**
 * The runner's message to the suites, in the environment: where the deployment is, on which emulator, and what that emulator
 * cannot show. AWS_ENDPOINT_URL and credentials for the SDK are there as well.
 */
import type { EmulatorName } from './emulator.ts'

/** The names under which a deployment can be reached. */
export interface Deployment {
  /** Of the deployed API, without a slash at its end. */
  readonly apiRoot: string
  readonly blobBucket: string
  readonly stagingBucket: string
  readonly ledgerTable: string
  readonly uploadsTable: string
  readonly queueUrl: string
  readonly deadLetterQueueUrl: string
}

export interface Given {
  readonly emulator: EmulatorName
  /** A folder of this run. */
  readonly work: string
  readonly deployment: Deployment
  /** The name of each failed probe, and why it failed. */
  readonly notWitnessed: Readonly<Record<string, string>>
}

const NAME = 'BUCKET_INTEGRATION'

export const giveToSuites = (given: Given): NodeJS.ProcessEnv => ({ [NAME]: JSON.stringify(given) })

/** @throws Error outside of the runner: these suites need a deployment. */
export function given(): Given {
  const text = process.env[NAME]
  if (text === undefined) throw new Error('run `npm run test:integration`: it deploys what this suite needs')
  return JSON.parse(text) as Given
}
