/**
 * An honesty probe: asks the raw emulator, without any code of ours, whether it would notice when a promise is broken.
 * A green test means something only where its probe saw the emulator refuse.
 */

/** Saw what AWS does, or saw something else and says what. */
export type Sight = true | string

export interface Probe {
  /** What a test may need to be witnessed; suites ask by this name. */
  readonly name: string
  /** What AWS does. */
  readonly promise: string
  /** Without it a run shows too little to be worth anything: the run fails. */
  readonly required: boolean
  look(): Promise<Sight>
}

/** The sentence of a failed look. */
export const instead = (what: unknown): string => `the emulator answered ${String(what)}`

/** Looks, within `limitMs` milliseconds; an emulator that breaks or hangs on the question has not shown it. */
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
