/**
 * The rules of uploads in a world where every possible fault is a choice: which process continues, which call fails or is a process's last,
 * which message is delivered or duplicated, how much time passes. The stores are in memory; the rules are the real ones. One assumption is
 * built in, because the adapters keep it: no append takes longer than a lease lasts.
 */
import { setImmediate as settled } from 'node:timers/promises'
import type { BlobId, Entry } from '../../lib/domain/entry.ts'
import { BucketError, isBucketError } from '../../lib/domain/errors.ts'
import { formatRef } from '../../lib/domain/identifiers.ts'
import { UPLOAD_SECONDS } from '../../lib/domain/limits.ts'
import type { Ledger } from '../../lib/repository/ports.ts'
import type { UploadRecord } from '../../lib/repository/upload-ports.ts'
import { uploadState } from '../../lib/repository/upload-state.ts'
import { failVerification, verifyUpload } from '../../lib/repository/verify.ts'
import { dishonestBlobStore } from '../support/dishonest-blob-store.ts'
import { collect, digestOf } from '../support/fake-artifacts.ts'
import { fakeBlobStore } from '../support/fake-blob-store.ts'
import { fakeLedger } from '../support/fake-ledger.ts'
import { fakeQueue, type Message } from '../support/fake-queue.ts'
import { fakeStaging } from '../support/fake-staging.ts'
import { fakeUploads } from '../support/fake-uploads.ts'
import type { RuleDependencies } from '../support/rule-dependencies.ts'
import { commute } from './commute.ts'
import { Deliveries } from './deliveries.ts'
import type { World } from './explore.ts'
import { gatedBlobs, gatedLedger, gatedQueue, gatedStaging, gatedUploads } from './gated-ports.ts'
import { Crashed, faultsOf, type Outcome, Process } from './process.ts'

/** The number of faults on one path. */
export interface Budget {
  /** Calls that fail or kill their process, before or after they took effect. */
  readonly faults: number
  /** Jumps of the clock while an actor is in the middle of an operation. */
  readonly delays: number
  /** Duplicate deliveries of a message, during or after its handling. */
  readonly duplicates: number
}

export interface Actor {
  readonly name: string
  /** The program of an actor; every step goes through `client`. */
  script(client: Client): Promise<void>
}

export interface Scenario {
  readonly budget: Budget
  readonly isDishonest?: boolean
  /** The stored version has lost its blob: readers see that, or the exact bytes. */
  readonly isLost?: boolean
  /** Brings the stores into the state in which the actors begin, without failures. */
  prepare?(stores: Stores, deps: RuleDependencies): Promise<void>
  readonly actors: readonly Actor[]
  /** The conditions that must hold at the end, in addition to those that always hold. */
  end?(world: UploadWorld): void | Promise<void>
}

const SWEEP = 'expired rows are deleted'
/** The words on which a sender may delete its last copy. */
const SAYS_STORED = /: (restored|found|committed with its entry|exists with identical bytes)$/
/** Marks steps that are not calls of Bucket: they cannot fail here, but they can be late. */
const OUTSIDE = '~ '
export const START = Date.parse('2026-11-23T04:00:00.000Z')

export type Stores = ReturnType<typeof makeStores>

function makeStores(clock: () => number, isDishonest: boolean) {
  const blobs = isDishonest ? dishonestBlobStore({ clock }) : fakeBlobStore({ clock })
  const staging = fakeStaging({ blobs, clock, ignoresChecksums: isDishonest })
  return { blobs, ledger: fakeLedger(), uploads: fakeUploads(), staging, queue: fakeQueue() }
}

/** One use of a rule by an actor, on ports of its own process. */
export interface Client {
  readonly deps: RuleDependencies
  /** New for each request. */
  readonly commitId: string
  readonly stores: Stores
  /** Runs a rule once. @throws Crashed when its process dies. */
  once<T>(rule: () => Promise<T>): Promise<T>
  /** Repeats a rule until its result is not a retryable failure. */
  again<T>(rule: () => Promise<T>): Promise<T>
  /** An event outside of Bucket, in one step. */
  outside<T>(step: string, happens: () => Promise<T>): Promise<T>
  /** Records an event, for the checks at the end. */
  note(text: string): void
  clock(): number
}

export class UploadWorld implements World {
  #now = START
  readonly #scenario: Scenario
  readonly stores: Stores
  readonly #processes = new Map<string, Process>()
  readonly #actors = new Map<string, { isDone: boolean; readonly notes: string[] }>()
  readonly #deliveries = new Deliveries()
  #verifiers = 0
  #requests = 0
  #budget: Budget
  #violation: unknown
  /** Entries as they were first seen: they never change. */
  readonly #visible: Entry[] = []
  readonly #knownBlobs = new Map<string, BlobId>()
  /** Aborted attempts, with the number of entries at that time. */
  readonly #givenUp = new Set<string>()
  readonly #attemptOf = new Map<string, string>()

  private constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.#budget = scenario.budget
    this.stores = makeStores(this.clock, scenario.isDishonest ?? false)
  }

  static async make(scenario: Scenario): Promise<UploadWorld> {
    const world = new UploadWorld(scenario)
    await scenario.prepare?.(world.stores, world.#depsOf(world.stores))
    for (const actor of scenario.actors) world.#start(actor)
    await settled()
    return world
  }

  readonly clock = (): number => this.#now

  /** The notes of an actor. */
  notes(actor: string): readonly string[] {
    return this.#actors.get(actor)?.notes ?? []
  }

  get allNotes(): readonly string[] {
    return [...this.#actors].flatMap(([name, { notes }]) => notes.map((note) => `${name}: ${note}`))
  }

  #depsOf(ports: Pick<RuleDependencies, 'blobs' | 'ledger' | 'uploads' | 'staging' | 'queue'>) {
    const { blobs, ledger, uploads, staging, queue } = ports
    const deps: RuleDependencies = {
      blobs,
      ledger,
      uploads,
      staging,
      queue,
      clock: this.clock,
      maxArtifactBytes: 1024,
      maxInlineBytes: 1024,
      presignedSeconds: 3600,
    }
    return deps
  }

  #gated(process: Process): RuleDependencies {
    const { blobs, ledger, uploads, staging, queue } = this.stores
    return this.#depsOf({
      blobs: gatedBlobs(process, blobs),
      ledger: gatedLedger(process, this.#watchedLedger(process, ledger)),
      uploads: gatedUploads(process, {
        ...uploads,
        find: async (id) => {
          this.#knownBlobs.set(`${formatRef(id.ref)}@${id.digest}`, id)
          const row = await uploads.find(id)
          if (row) this.#attemptOf.set(process.name, row.attempt)
          return row
        },
        write: async (next, previous) => {
          const isWritten = await uploads.write(next, previous)
          if (isWritten) this.#attemptOf.set(process.name, next.attempt)
          return isWritten
        },
        remove: async (previous) => {
          const isRemoved = await uploads.remove(previous)
          if (isRemoved) this.#givenUp.add(previous.attempt)
          return isRemoved
        },
      }),
      staging: gatedStaging(process, staging),
      queue: gatedQueue(process, queue),
    })
  }

  /** An aborted attempt is never appended by its own verifier or commit. */
  #watchedLedger(process: Process, ledger: Ledger): Ledger {
    return {
      ...ledger,
      append: async (entry, commitId) => {
        const attempt = this.#attemptOf.get(process.name)
        if (attempt !== undefined && this.#givenUp.has(attempt))
          this.#violation ??= new Error(`${process.name} makes a given-up upload visible`)
        return ledger.append(entry, commitId)
      },
    }
  }

  #process(name: string): Process {
    const process = new Process(name, this.clock, (error) => {
      this.#violation ??= error
    })
    this.#processes.set(name, process)
    return process
  }

  #start({ name, script }: Actor): void {
    const state = { isDone: false, notes: [] as string[] }
    this.#actors.set(name, state)
    const process = this.#process(name)
    const deps = this.#gated(process)
    const world = this
    const client: Client = {
      deps,
      stores: this.stores,
      clock: this.clock,
      get commitId() {
        return `${name}-${++world.#requests}`
      },
      once: (rule) => {
        world.#attemptOf.delete(name)
        return process.run(rule)
      },
      async again(rule) {
        for (;;)
          try {
            return await client.once(rule)
          } catch (error) {
            if (!(error instanceof Crashed) && !isBucketError(error, 'unavailable')) throw error
          }
      },
      outside: (step, happens) => process.gate(`${OUTSIDE}${step}`, happens),
      note: (text) => void state.notes.push(text),
    }
    script(client).then(
      () => {
        state.isDone = true
      },
      (error: unknown) => {
        state.isDone = true
        if (error instanceof BucketError) state.notes.push(error.code)
        else this.#violation ??= error
      },
    )
  }

  choices(): readonly string[] {
    const waiting = [...this.#processes.values()].flatMap(({ name, calls }) =>
      calls.map((call) => ({ step: `${name}: ${call}`, call })),
    )
    const steps = waiting.map(({ step }) => step)
    const { fresh, dead, again } = this.#deliveries.choices(
      this.stores.queue.messages,
      this.#now,
      this.#budget.duplicates > 0,
    )
    const faults =
      this.#budget.faults > 0
        ? waiting
            .filter(({ call }) => !call.startsWith(OUTSIDE))
            .flatMap(({ step, call }) => faultsOf(call).map((outcome) => `${step} ${outcome}`))
        : []
    const isSwept = this.stores.uploads.rows.some(({ expiresAt }) => expiresAt <= this.#now)
    const sweep = isSwept && steps.length > 0 ? [SWEEP] : []
    const time = this.#clockChoices(steps, fresh.length + dead.length > 0)
    return [...steps, ...fresh, ...dead, ...again, ...faults, ...sweep, ...time]
  }

  /** Time advances by itself when every actor waits; otherwise it is a choice that counts as a failure. */
  #clockChoices(steps: readonly string[], isDeliverable: boolean): readonly string[] {
    const next = this.#nextDeadline()
    if (next === undefined || steps.some((step) => step.endsWith('ledger.append'))) return []
    if (steps.length > 0 || isDeliverable) return this.#budget.delays > 0 ? ['time passes'] : []
    return this.stores.queue.messages.length > 0 ? ['time passes while all wait'] : []
  }

  #nextDeadline(): number | undefined {
    const rows = this.stores.uploads.rows.flatMap(({ leaseUntil, expiresAt }) => [leaseUntil, expiresAt])
    const ahead = [...rows, ...this.#deliveries.times].filter((time) => time > this.#now)
    return ahead.length > 0 ? Math.min(...ahead) : undefined
  }

  readonly commute = commute

  async perform(choice: string): Promise<void> {
    this.#act(choice)
    const step = /^([^:]+): (.+?)(?: ((?:fails|dies) (?:before|after)))?$/.exec(choice)
    if (step) {
      const [, name = '', call = '', outcome = 'done'] = step
      if (outcome !== 'done') this.#budget = { ...this.#budget, faults: this.#budget.faults - 1 }
      await this.#processes.get(name)?.letThrough(call, outcome as Outcome)
    }
    await settled()
  }

  #act(choice: string): void {
    if (choice.startsWith('time passes')) {
      this.#now = this.#nextDeadline() ?? this.#now
      if (choice === 'time passes') this.#budget = { ...this.#budget, delays: this.#budget.delays - 1 }
    }
    if (choice === SWEEP) this.stores.uploads.sweep(this.#now)
    const [, what, number, again] = /^(deliver|bury) (\d+)( again)?$/.exec(choice) ?? []
    if (what === undefined) return
    if (again) this.#budget = { ...this.#budget, duplicates: this.#budget.duplicates - 1 }
    const message = this.stores.queue.messages.find((other) => other.number === Number(number))
    if (message) this.#deliver(message, what === 'bury')
  }

  #deliver(message: Message, isDead: boolean): void {
    const name = `${isDead ? 'undertaker' : 'verifier'} ${++this.#verifiers}`
    const ended = this.#deliveries.begin(message, name, this.#now)
    const process = this.#process(name)
    const deps = this.#gated(process)
    const rule: () => Promise<unknown> = () =>
      isDead ? failVerification(deps, message.request) : verifyUpload(deps, message.request)
    process
      .run(rule)
      .then(
        // An acknowledgement removes a message for all receivers, as in the queues that we use.
        () => this.stores.queue.acknowledge(message),
        (error: unknown) => {
          if (!(error instanceof Crashed) && !(error instanceof BucketError)) this.#violation ??= error
        },
      )
      .finally(() => {
        ended()
        this.#processes.delete(name)
      })
  }

  async key(): Promise<string> {
    const blobs = await Promise.all(
      [...this.#knownBlobs].map(
        async ([name, blob]) => [name, await this.stores.blobs.inspect(blob)] as const,
      ),
    )
    const text = JSON.stringify([
      this.#now,
      this.#budget,
      this.stores.ledger.entries,
      this.stores.uploads.rows,
      // In one order, because it does not matter which was looked up first.
      blobs.sort(([one], [other]) => (one < other ? -1 : 1)),
      this.stores.staging.summary,
      [...this.#givenUp],
      this.stores.queue.messages.map((message) => [message, this.#deliveries.state(message)]),
      [...this.#actors],
      [...this.#processes.values()].filter(({ calls }) => calls.length > 0).map(({ key }) => key),
    ])
    return withoutChance(text)
  }

  async check(): Promise<void> {
    if (this.#violation !== undefined) throw this.#violation
    const { entries } = this.stores.ledger
    for (const [at, entry] of this.#visible.entries())
      if (JSON.stringify(entries[at]) !== JSON.stringify(entry))
        throw new Error(`the entry of ${formatRef(entry.ref)} changed or vanished`)
    for (const entry of entries.slice(this.#visible.length)) {
      await this.#checkBytes(entry)
      if (this.#visible.some(({ ref }) => formatRef(ref) === formatRef(entry.ref)))
        throw new Error(`${formatRef(entry.ref)} has two entries`)
      this.#visible.push(structuredClone(entry))
    }
    if (this.#scenario.isLost) for (const entry of entries) await this.#checkBytes(entry)
    const winners = this.allNotes.filter((note) => note.endsWith(': created'))
    if (winners.length > entries.length) throw new Error(`created was said twice: ${winners.join(', ')}`)
  }

  async #checkBytes(entry: Entry): Promise<void> {
    const name = formatRef(entry.ref)
    const { found } = await this.stores.blobs.inspect(entry)
    if (!found && this.#scenario.isLost) {
      const liar = this.allNotes.find((note) => SAYS_STORED.test(note))
      if (liar !== undefined) throw new Error(`${liar}: was said of ${name}, whose blob is lost`)
      return
    }
    const bytes = await collect(await this.stores.blobs.read(entry, undefined, undefined))
    if (digestOf(bytes) !== entry.digest || bytes.byteLength !== entry.size)
      throw new Error(`readers of ${name} see other bytes than those of ${entry.digest}`)
  }

  async checkEnd(): Promise<void> {
    for (const [name, { isDone, notes }] of this.#actors)
      if (!isDone) throw new Error(`${name} never stops waiting (${notes.join(', ')})`)
    for (const row of this.stores.uploads.rows) await this.#checkEnded(row)
    // Each process that died may have left one, which expires by itself.
    const faults = this.#scenario.budget.faults - this.#budget.faults
    if (this.stores.staging.promotions > faults) throw new Error('a promotion was left behind')
    await this.#scenario.end?.(this)
  }

  /** All actors have ended: an upload in `verifying` would stay so until it expires. */
  async #checkEnded(row: UploadRecord): Promise<void> {
    if (row.state === 'committed' && !this.isStored(row.id))
      throw new Error('a row says committed, and the ledger has no entry')
    if (row.expiresAt <= this.#now) return
    const { state } = await uploadState(this.#depsOf(this.stores), row.id)
    if (state === 'verifying')
      throw new Error(`the upload of ${row.id.digest.slice(7, 15)} stays verifying without a verifier`)
  }

  /** Whether a message reached the dead-letter queue: its upload has failed, and its client must restart. */
  get isBuried(): boolean {
    return this.#deliveries.isBuried
  }

  /** Whether enough time has passed for an upload to expire. */
  get isLate(): boolean {
    return this.#now >= START + UPLOAD_SECONDS * 1000
  }

  isStored = (id: BlobId): boolean =>
    this.stores.ledger.entries.some(
      ({ ref, digest }) => formatRef(ref) === formatRef(id.ref) && digest === id.digest,
    )
}

// It begins at a word, because a search at every character of every digest would take longer than the rest of a key.
const CHANCE = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Random names are replaced by their position, so that equal states have equal keys. */
function withoutChance(text: string): string {
  const names = new Map<string, string>()
  return text.replace(CHANCE, (name) => {
    const known = names.get(name) ?? `#${names.size}`
    names.set(name, known)
    return known
  })
}
