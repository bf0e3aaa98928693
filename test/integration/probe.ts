/**
 * An honesty probe asks the raw emulator, without any code of ours, whether it would notice a broken promise. A green test is
 * only meaningful if its probe has seen the emulator refuse.
 */

/** True if the emulator behaves as AWS does, otherwise a description of what it did. */
export type Sight = true | string

export interface Probe {
  /** Suites that depend on the promise ask for it by this name. */
  readonly name: string
  /** The behaviour of AWS. */
  readonly promise: string
  /** A run without this is not meaningful, so it fails. */
  readonly required: boolean
  look(): Promise<Sight>
}

/** The text of a failed probe. */
export const instead = (what: unknown): string => `the emulator answered ${String(what)}`

/** Runs a probe for at most `limitMs` milliseconds. An emulator that crashes or hangs has failed it. */
export async function look(probe: Probe, limitMs: number): Promise<Sight> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${limitMs / 1000} s`), limitMs)
  })
  const seen = probe.look().catch((error: unknown) => `the question failed: ${String(error)}`)
  try {
    return await Promise.race([seen, late])
  } finally {
    clearTimeout(timer)
  }
}
