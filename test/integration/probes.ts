/**
 * Finds out what the emulator of a run enforces. Promises that no probe of a few seconds can check are listed, so that readers
 * do not take a green run for more than it shows.
 */
import { look, type Probe } from './probe.ts'
import { gatewayProbes } from './probe-gateway.ts'
import { storeProbes } from './probe-stores.ts'
import type { Tally } from './tally.ts'

const LOOK_MS = 60_000

/**
 * Promises that no emulator checks; each is asserted in the synthesized template, or left to the smoke test of a real account.
 */
const NEVER_WITNESSED: Readonly<Record<string, string>> = {
  'iam-roles': 'the roles of the functions are not enforced: the credentials of a run may do everything',
  'time-based': 'lifecycle rules, retention of logs and point-in-time recovery take days to show',
  durability: 'the emulator keeps objects and rows in memory or on one disk',
  throttling: 'the stage does not throttle callers, and DynamoDB has no partitions that could be hot',
  'arm64-runtime': 'the functions run on the node of this machine, not in the runtime image of Lambda',
  observability: 'access logs, metrics, alarms and the dashboard are created, but nothing is recorded',
}

/** Runs all probes, counts them, and returns the failed ones: the name of each probe and the reason. */
export async function whatIsNotWitnessed(
  endpoint: string,
  tally: Tally,
): Promise<Readonly<Record<string, string>>> {
  const missing: Record<string, string> = {}
  const probes: readonly Probe[] = [...(await storeProbes(endpoint)), ...(await gatewayProbes(endpoint))]
  for (const probe of probes) {
    const sight = await look(probe, LOOK_MS)
    if (sight === true) {
      tally.pass(`${probe.name}: ${probe.promise}`)
      continue
    }
    missing[probe.name] = sight
    if (probe.required) tally.fail(`${probe.name}: ${probe.promise}`, sight)
    else tally.skip(`${probe.name}: ${probe.promise}`, sight)
  }
  for (const [name, why] of Object.entries(NEVER_WITNESSED)) tally.skip(name, why)
  return { ...NEVER_WITNESSED, ...missing }
}
