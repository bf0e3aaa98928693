/** One range of the bytes of an artifact. */

/** `first` and `last` are byte positions, both inclusive, as in HTTP (RFC 9110, section 14.1.2). */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** All bytes; undefined if there are none. */
export const wholeRange = (size: number): ByteRange | undefined =>
  size === 0 ? undefined : { first: 0, last: size - 1 }
