/**
 * One invalid input, named so that its sender can find it.
 * Parsers collect these instead of throwing at the first one, so that a caller learns all of them at once
 * (docs/http-api.md, section 8).
 */

/** The part of a request that held the input. */
export type InputLocation = 'header' | 'path' | 'query' | 'body'

export interface ValidationError {
  /** Absent where the input did not come with a request: the rules know names, not requests. */
  readonly in?: InputLocation
  /** The header, path segment, query parameter or member, such as `parts[3].number`. */
  readonly name: string
  /** Continues a sentence that begins with the name: `is empty: …`. */
  readonly detail: string
}
