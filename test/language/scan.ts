/** Finds the patterns in a text of any kind: Markdown, comments, error texts and test titles. */
import { PATTERNS } from './patterns.ts'

export interface Finding {
  readonly line: number
  readonly text: string
  readonly instead: string
}

/** Any white space, as a phrase may be wrapped; a pattern matches as often as it can. */
const COMPILED = PATTERNS.map(({ pattern, instead }) => ({
  pattern: new RegExp(pattern.source.replaceAll(' ', '\\s+'), `${pattern.flags.replace('g', '')}g`),
  instead,
}))

/** Blanks out line breaks with the marks that begin the next line of a comment or a quote; positions stay. */
const unwrap = (text: string): string =>
  text.replace(/\n[ \t]*(?:\*(?!\/|\*)|\/\/|#|>)?[ \t]*(?=\S)/g, (found) => ' '.repeat(found.length))

/** @returns each finding with its line, from 1. */
export function scan(text: string): Finding[] {
  const prose = unwrap(text)
  const lineAt = (position: number) => text.slice(0, position).split('\n').length
  return COMPILED.flatMap(({ pattern, instead }) =>
    [...prose.matchAll(pattern)].map((found) => ({
      line: lineAt(found.index + found[0].search(/\S/)),
      text: found[0].trim().replace(/\s+/g, ' '),
      instead,
    })),
  ).sort((a, b) => a.line - b.line)
}
