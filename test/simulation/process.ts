/**
 * A process in the simulation: one run of a rule, whose calls of ports wait until they are let through.
 * A call can be let through, fail before or after it took effect, or be the last that the process made.
 */
import { BucketError } from '../../lib/domain/errors.ts'

/** How a waiting call continues. The last four are faults: whether the call took effect, and whether the process survives. */
export const OUTCOMES = {
  done: { applies: true, fault: undefined },
  'fails before': { applies: false, fault: 'error' },
  'fails after': { applies: true, fault: 'error' },
  'dies before': { applies: false, fault: 'crash' },
  'dies after': { applies: true, fault: 'crash' },
} as const

export type Outcome = keyof typeof OUTCOMES

/** Calls that change nothing. Whether they took effect does not matter, and a crash there equals a crash after the previous change. */
const READS: readonly string[] = [
  'ledger.find',
  'uploads.find',
  'blobs.inspect',
  'blobs.read',
  'staging.parts',
  'staging.open',
]

export const isRead = (call: string): boolean => READS.includes(call)

/** The faults of a call that have different consequences. */
export const faultsOf = (call: string): readonly Outcome[] =>
  isRead(call) ? ['fails before'] : ['fails before', 'fails after', 'dies before', 'dies after']

interface Waiting {
  readonly call: string
  readonly apply: () => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A caller's view of a process that died: a broken connection. */
export class Crashed extends Error {}

export class Process {
  readonly name: string
  readonly #now: () => number
  readonly #onFault: (error: unknown) => void
  readonly #waiting: Waiting[] = []
  readonly #history: string[] = []
  #crash: (error: Crashed) => void = () => undefined

  /** @param onFault receives every failure that no port may have, which shows a misuse of the port. */
  constructor(name: string, now: () => number, onFault: (error: unknown) => void) {
    this.name = name
    this.#now = now
    this.#onFault = onFault
  }

  /** Runs one rule. @throws Crashed when the process dies on the way. */
  run<T>(rule: () => Promise<T>): Promise<T> {
    this.#history.length = 0
    // Its text says at which rule of its program an actor is: two rules may make the same calls with the same results.
    this.#note(`begins ${rule}`)
    return new Promise<T>((resolve, reject) => {
      this.#crash = reject
      rule().then(resolve, reject)
    })
  }

  /** One call of a port: waits to be let through. */
  gate<T>(call: string, apply: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ call, apply, resolve: (value) => resolve(value as T), reject })
    })
  }

  /** The calls that wait, oldest first. */
  get calls(): readonly string[] {
    return this.#waiting.map(({ call }) => call)
  }

  /** All results that the process has received. With its program, they determine its next step. */
  get key(): string {
    return `${this.name}(${this.#history.join(';')})[${this.calls.join(',')}]`
  }

  async letThrough(call: string, outcome: Outcome): Promise<void> {
    const at = this.#waiting.findIndex((other) => other.call === call)
    const waiting = this.#waiting[at]
    if (!waiting) throw new Error(`${this.name} does not wait for ${call}`)
    this.#waiting.splice(at, 1)
    const { applies, fault } = OUTCOMES[outcome]
    let settle = () => waiting.reject(BucketError.unavailable(`${call} ${outcome}`))
    let told = outcome as string
    if (applies)
      try {
        const value = await waiting.apply()
        if (!fault) {
          settle = () => waiting.resolve(value)
          told = summary(value)
        }
      } catch (error) {
        if (!(error instanceof BucketError)) this.#onFault(error)
        if (!fault) {
          settle = () => waiting.reject(error)
          told = String(error)
        }
      }
    if (fault === 'crash') {
      this.#waiting.length = 0
      this.#note('died')
      this.#crash(new Crashed(`${this.name} died`))
    } else {
      this.#note(`${call}=${told}`)
      settle()
    }
  }

  #note(text: string): void {
    this.#history.push(`${this.#now()}:${text}`)
  }
}

/** The part of a result on which a rule can depend. Functions are gated separately. */
const summary = (value: unknown): string => JSON.stringify(value) ?? 'undefined'
