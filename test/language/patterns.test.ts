import { describe, expect, it } from 'vitest'
import { PATTERNS } from './patterns.ts'
import { scan } from './scan.ts'

describe.each(PATTERNS)('$pattern', ({ instead, bad, good }) => {
  const isFound = (text: string) => scan(text).some((finding) => finding.instead === instead)

  it.each(bad)('finds "%s"', (text) => {
    expect(isFound(text)).toBe(true)
  })

  it.each(good)('spares "%s"', (text) => {
    expect(isFound(text)).toBe(false)
  })
})

describe('a scan', () => {
  it('finds a phrase that is wrapped in a comment, and reports the line where it begins', () => {
    const text = '/**\n * An entry is kept for\n * ever.\n */\nconst kept = true\n'
    expect(scan(text).map(({ line, text }) => ({ line, text }))).toEqual([{ line: 2, text: 'for ever' }])
  })

  it.each([
    ['a line comment', 'x() // begins\n// anew'],
    ['a string', "throw new Error('begin anew')"],
    ['Markdown', '# Title\n\nBegin\nanew.'],
    ['a shell comment', 'ls # begin\n# anew'],
  ])('reads %s', (_, text) => {
    expect(scan(text)).toHaveLength(1)
  })
})
