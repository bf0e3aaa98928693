/**
 * Faults: what is wrong with one input, named so that its sender can find it.
 * Parsers collect them instead of throwing at the first, so that a caller learns all of them at once (docs/http-api.md, section 8).
 */

/** Where in a request an input stood. */
export type FaultPlace = 'header' | 'path' | 'query' | 'body'

/** One fault of one input. `name` is the header, path segment, query parameter or JSON member. */
export interface Fault {
  readonly in: FaultPlace
  readonly name: string
  readonly detail: string
}

/** A parsed value, or one sentence that says why there is none. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly detail: string }

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value })
export const faulty = <T = never>(detail: string): Parsed<T> => ({ ok: false, detail })
