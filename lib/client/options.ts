/** Checks the options of a client for callers without types, whose misspelt option would otherwise mean its default. */
import type { RetryPolicy } from './api/retry.ts'
import type { Timeouts } from './api/transport.ts'

const OPTIONS = ['url', 'auth', 'apiKey', 'retry', 'timeouts', 'onEvent', 'ca']

const quoted = (names: readonly string[]) => names.map((name) => JSON.stringify(name)).join(', ')

const isPlain = (given: unknown): given is object =>
  typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof URL)

/** @throws TypeError if it is not an object, or has an unknown member. */
export function checkOptions(options: unknown): void {
  if (!isPlain(options))
    throw new TypeError(
      "the options must be an object, as in new BucketClient({ url: 'http://127.0.0.1:9470/v1' })",
    )
  assertKnown('option', Object.keys(options), OPTIONS)
}

/**
 * @param name of the option, for the error.
 * @returns the defaults, replaced by what is given.
 * @throws TypeError if it is not an object, for an unknown member, and for a value that is not a number of at least 0 (of `attempts`: a whole one of at least 1, or Infinity).
 */
export function numbersOf<T extends RetryPolicy | Timeouts>(
  name: string,
  defaults: T,
  given: Partial<T> = {},
): T {
  if (!isPlain(given)) throw new TypeError(`${name} must be an object with numbers`)
  const members = Object.entries(given).filter(([, value]) => value !== undefined)
  assertKnown(`member of ${name}`, Object.keys(given), Object.keys(defaults))
  for (const [member, value] of members) {
    const least = member === 'attempts' ? 1 : 0
    const isNumber =
      typeof value === 'number' && value >= least && (least === 0 || Math.floor(value) === value)
    if (!isNumber)
      throw new TypeError(
        `${name}.${member} is ${String(value)}: give a ${least === 0 ? '' : 'whole '}number of at least ${least}`,
      )
  }
  return { ...defaults, ...Object.fromEntries(members) }
}

function assertKnown(what: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new TypeError(`unknown ${what}: ${quoted(unknown)}; known: ${quoted(known)}`)
}
