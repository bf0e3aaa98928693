/**
 * One invalid input, named so that its sender can find it.
 * Parsers collect these instead of throwing at the first one, so that a caller learns all of them at once.
 */
export interface ValidationError {
  /** The member, such as `bucketId` or `parts[3].number`. */
  readonly name: string
  /** Continues a sentence that begins with the name: `is empty: …`. */
  readonly detail: string
}
