/**
 * Every code point but surrogates, as the unit of a text. It is the unit 'binary' of fast-check, without the table of all of them that
 * fast-check makes for shrinking, which takes a second.
 */
import fc from 'fast-check'

const SURROGATES = { first: 0xd800, count: 0x800 }

export const anyCharacter: fc.Arbitrary<string> = fc
  .nat(0x10ffff - SURROGATES.count)
  .map((at) => String.fromCodePoint(at < SURROGATES.first ? at : at + SURROGATES.count))
