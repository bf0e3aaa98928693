/**
 * What the emulator of a run can witness, found by asking it. What no question of a few seconds can show is listed as such:
 * nobody should take a green run for more than it saw.
 */
import { look, type Probe } from './probe.ts'
import { gatewayProbes } from './probe-gateway.ts'
import { storeProbes } from './probe-stores.ts'
import type { Tally } from './tally.ts'

const LOOK_MS = 60_000

/** What holds on every emulator; each is asserted in the synthesized template, and left to the smoke test of a real account. */
const NEVER_WITNESSED: Readonly<Record<string, string>> = {
  'iam-roles': 'the roles of the functions are not enforced: the credentials of a run may do everything',
  'time-based': 'lifecycle rules, retention of logs and point-in-time recovery take days to show',
  durability: 'the emulator keeps objects and rows in memory or on one disk',
  throttling: 'the stage throttles nobody, and DynamoDB has no partitions that could be hot',
  'arm64-runtime': 'the functions run on the node of this machine, not in the runtime image of Lambda',
  observability: 'access logs, metrics, alarms and the dashboard are created, but nothing is recorded',
}

/** Looks at everything, counts it, and returns what is not witnessed: the name of each probe and why. */
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
