/** A world whose steps are chosen by hand: one interleaving in its order, with every promise checked after every step. */
import { type Scenario, UploadWorld } from './upload-world.ts'

/** The stores of one race, in which each step happens only on request. */
const budget = { faults: 9, delays: 9, duplicates: 9 }

export interface Stage {
  readonly world: UploadWorld
  /** One step, by its name in `choices`. */
  step(choice: string): Promise<void>
  /** Runs a process until it is about to make this call. */
  upTo(name: string, call: string): Promise<void>
  /** Runs a process to its end. */
  toEnd(name: string): Promise<void>
  /** Executes all remaining steps, and checks the end. */
  settle(): Promise<void>
}

export async function stage(scenario: Omit<Scenario, 'budget'>): Promise<Stage> {
  const world = await UploadWorld.make({ ...scenario, budget })

  const step = async (choice: string) => {
    const choices = world.choices()
    if (!choices.includes(choice)) throw new Error(`${choice} cannot happen now, but: ${choices.join(' | ')}`)
    await world.perform(choice)
    await world.check()
  }
  const next = (name: string) =>
    world.choices().find((choice) => choice.startsWith(`${name}: `) && !isFault(choice))

  return {
    world,
    step,
    async upTo(name, call) {
      for (let choice = next(name); choice !== `${name}: ${call}`; choice = next(name)) {
        if (choice === undefined) throw new Error(`${name} came to its end without ${call}`)
        await step(choice)
      }
    },
    async toEnd(name) {
      for (let choice = next(name); choice !== undefined; choice = next(name)) await step(choice)
    },
    async settle() {
      for (let choice = calm(world); choice !== undefined; choice = calm(world)) await step(choice)
      await world.checkEnd()
    },
  }
}

const isFault = (choice: string) => /(fails|dies) (before|after)$/.test(choice)

const calm = (world: UploadWorld) =>
  world.choices().find((choice) => !isFault(choice) && choice !== 'time passes' && !choice.endsWith('again'))
