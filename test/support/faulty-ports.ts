/**
 * Ports that fail on purpose: before a call (it had no effect) or after it (it had its effect, but the caller gets an error).
 * The second kind tests retries: to the caller, a crash and a lost response look the same.
 */
import type { BlobStore, Ledger } from '../../lib/repository/ports.ts'

export interface PortCall {
  readonly port: 'blobs' | 'ledger'
  readonly method: keyof BlobStore | keyof Ledger
  /** Counts the calls of this plan from 1, over all ports that share it. */
  readonly number: number
}

export interface Fault {
  readonly when: 'before' | 'after'
  readonly error: unknown
}

/** Decides for each call; it may be asynchronous, so that a scheduler can choose the order of calls. */
export type FaultPlan = (call: PortCall) => Fault | undefined | Promise<Fault | undefined>

/** Counts calls, so that several ports can share one plan and one numbering. */
export function numbered(plan: FaultPlan): (call: Omit<PortCall, 'number'>) => ReturnType<FaultPlan> {
  let number = 0
  return (call) => plan({ ...call, number: ++number })
}

type NumberedPlan = ReturnType<typeof numbered>

function inject<A extends unknown[], R>(
  plan: NumberedPlan,
  call: Omit<PortCall, 'number'>,
  method: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  return async (...args) => {
    const fault = await plan(call)
    if (fault?.when === 'before') throw fault.error
    const result = await method(...args)
    if (fault?.when === 'after') throw fault.error
    return result
  }
}

export function faultyBlobStore(blobs: BlobStore, plan: NumberedPlan): BlobStore {
  const port = 'blobs' as const
  return {
    write: inject(plan, { port, method: 'write' }, blobs.write),
    inspect: inject(plan, { port, method: 'inspect' }, blobs.inspect),
    read: inject(plan, { port, method: 'read' }, blobs.read),
    presignGet: inject(plan, { port, method: 'presignGet' }, blobs.presignGet),
    presignPut: inject(plan, { port, method: 'presignPut' }, blobs.presignPut),
    check: inject(plan, { port, method: 'check' }, blobs.check),
  }
}

export function faultyLedger(ledger: Ledger, plan: NumberedPlan): Ledger {
  const port = 'ledger' as const
  return {
    find: inject(plan, { port, method: 'find' }, ledger.find),
    append: inject(plan, { port, method: 'append' }, ledger.append),
    list: inject(plan, { port, method: 'list' }, ledger.list),
    check: inject(plan, { port, method: 'check' }, ledger.check),
  }
}
