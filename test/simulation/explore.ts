/**
 * Walks the states of a world: all of them depth first, or some of them at random.
 * A world is deterministic, so the list of choices that led to a state is the state, and printing it is a reproduction.
 */
import { hash } from 'node:crypto'

/** Something whose next steps are choices. */
export interface World {
  /** The possible next steps, each under a name that is unique and the same in every run; empty at the end. */
  choices(): readonly string[]
  /**
   * Whether two choices of one state can be made in either order, with the same state at the end and the same promises kept on the way.
   * True only if it is certain.
   */
  commute(one: string, other: string): boolean
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

/** A state to continue from: the choices that lead to it, and those that need no look there. */
interface Ahead {
  readonly path: readonly string[]
  readonly asleep: readonly string[]
}

/**
 * Visits every state, by replaying the choices that lead to it. Where two choices commute, both orders lead to the same state, so the
 * later one is looked at in one order only ("sleep sets", P. Godefroid, Partial-Order Methods, 1996): this leaves out steps, but no state.
 */
export async function exploreAll(
  makeWorld: () => Promise<World>,
  maxStates = Number.POSITIVE_INFINITY,
): Promise<Exploration> {
  /** The choices of each state that have slept in all visits. */
  const seen = new Map<string, readonly string[]>()
  const ahead: Ahead[] = [{ path: [], asleep: [] }]
  let ends = 0
  for (let from = ahead.pop(); from; from = ahead.pop()) {
    const world = await makeWorld()
    for (const choice of from.path) await world.perform(choice)
    for (let here: Ahead | undefined = from; here; ) {
      const { path, asleep }: Ahead = here
      await guarded(path, () => world.check())
      const key = hash('sha256', await world.key(), 'base64')
      const known = seen.get(key)
      const choices = known ?? world.choices()
      if (!known && choices.length === 0) {
        await guarded(path, () => world.checkEnd())
        ends += 1
      }
      seen.set(
        key,
        choices.filter((choice) => asleep.includes(choice)),
      )
      if (seen.size >= maxStates) return { states: seen.size, ends, isComplete: false }
      const [next, ...others] = branches(world, here, choices)
      ahead.push(...others)
      const choice = next?.path.at(-1)
      if (choice !== undefined) await world.perform(choice)
      here = next
    }
  }
  return { states: seen.size, ends, isComplete: true }
}

/** What follows each choice that does not sleep: a choice sleeps on where an earlier one of this state commutes with it. */
function branches(world: World, { path, asleep }: Ahead, choices: readonly string[]): readonly Ahead[] {
  const sleeping = choices.filter((choice) => asleep.includes(choice))
  const awake = choices.filter((choice) => !asleep.includes(choice))
  return awake.map((choice, at) => {
    const before = [...sleeping, ...awake.slice(0, at)]
    return { path: [...path, choice], asleep: before.filter((other) => world.commute(other, choice)) }
  })
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
