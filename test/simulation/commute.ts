/** Steps of two processes that can be made in either order, because neither sees what the other does. */
import { isRead } from './process.ts'

/** The stores that a call reads or changes, where its name does not say so. */
const STORES: Readonly<Record<string, readonly string[]>> = {
  staged: ['staging'],
  promotion: ['staging', 'blobs'],
  '~ send the bytes': ['blobs'],
  '~ send the part': ['staging'],
}

const STEP = /^([^:]+): (.+?)(?: ((?:fails|dies) (?:before|after)))?$/

interface Step {
  readonly process: string
  readonly call: string
  readonly isFault: boolean
}

/** @returns undefined for every other event, such as a delivery or the passing of time. */
function parse(choice: string): Step | undefined {
  const [, process, call, fault] = STEP.exec(choice) ?? []
  return process === undefined || call === undefined
    ? undefined
    : { process, call, isFault: fault !== undefined }
}

function storesOf(call: string): readonly string[] {
  const [store = ''] = call.split('.')
  return STORES[store] ?? [store]
}

/** An append is checked against the attempts that were aborted before it. */
const isWatched = (one: Step, other: Step) => one.call === 'ledger.append' && other.call === 'uploads.remove'

/** @returns false in doubt: faults share a budget, and deliveries, the clock and the sweep have an effect on everything. */
export function commute(one: string, other: string): boolean {
  const [a, b] = [parse(one), parse(other)]
  if (!a || !b || a.process === b.process || (a.isFault && b.isFault)) return false
  if (isWatched(a, b) || isWatched(b, a)) return false
  if (isRead(a.call) && isRead(b.call)) return true
  const stores = storesOf(b.call)
  return !storesOf(a.call).some((store) => stores.includes(store))
}
