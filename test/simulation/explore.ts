/**
 * Walks the states of a world: all of them depth first, or some of them at random.
 * A world is deterministic, so the list of choices that led to a state is the state, and printing it is a reproduction.
 */
import { createHash } from 'node:crypto'

/** Something whose next steps are choices. */
export interface World {
  /** The possible next steps, each under a name that is unique and the same in every run; empty at the end. */
  choices(): readonly string[]
  /** Executes the choice, until everything waits for the next one. */
  perform(choice: string): Promise<void>
  /** Everything on which the future depends: worlds with equal keys continue equally. */
  key(): Promise<string>
  /** Throws when a promise is broken in this state. */
  check(): Promise<void>
  /** Throws if this end breaks a promise. */
  checkEnd(): Promise<void>
}

export interface Exploration {
  readonly states: number
  /** Paths that came to their end. */
  readonly ends: number
  /** False when `maxStates` stopped the search. */
  readonly isComplete: boolean
}

/** The choices that lead to the state in which a promise was broken, one to a line, ready to be replayed. */
export class BrokenPromise extends Error {
  readonly path: readonly string[]
  constructor(path: readonly string[], cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`${reason}\nafter these steps:\n${path.map((step, at) => `${at + 1}. ${step}`).join('\n')}`, {
      cause,
    })
    this.path = path
  }
}

const guarded = async (path: readonly string[], check: () => Promise<void>) => {
  try {
    await check()
  } catch (error) {
    throw new BrokenPromise([...path], error)
  }
}

/** Visits every state once, by replaying the choices that lead to it. */
export async function exploreAll(
  makeWorld: () => Promise<World>,
  maxStates = Number.POSITIVE_INFINITY,
): Promise<Exploration> {
  const seen = new Set<string>()
  const ahead: string[][] = [[]]
  let ends = 0
  for (let path = ahead.pop(); path; path = ahead.pop()) {
    const world = await makeWorld()
    for (const choice of path) await world.perform(choice)
    for (;;) {
      await guarded(path, () => world.check())
      const key = createHash('sha256')
        .update(await world.key())
        .digest('base64')
      if (seen.has(key)) break
      seen.add(key)
      if (seen.size >= maxStates) return { states: seen.size, ends, isComplete: false }
      const [next, ...others] = world.choices()
      if (next === undefined) {
        await guarded(path, () => world.checkEnd())
        ends += 1
        break
      }
      for (const other of others) ahead.push([...path, other])
      path = [...path, next]
      await world.perform(next)
    }
  }
  return { states: seen.size, ends, isComplete: true }
}

/** @param pick chooses among `choices`, for example with a seeded generator. */
export async function walk(
  makeWorld: () => Promise<World>,
  pick: (choices: readonly string[]) => string,
): Promise<readonly string[]> {
  const world = await makeWorld()
  const path: string[] = []
  for (let choices = world.choices(); choices.length > 0; choices = world.choices()) {
    const choice = pick(choices)
    path.push(choice)
    await world.perform(choice)
    await guarded(path, () => world.check())
  }
  await guarded(path, () => world.checkEnd())
  return path
}
