/** Text from elsewhere is shown so that it cannot look like other text. */
import { describe, expect, it } from 'vitest'
import { formatBytes, formatShare, formatTime, visible } from '../../../lib/page/text.ts'

describe('visible', () => {
  it.each([
    ['right-to-left override', 'gpj\u202e.exe', 'gpj\\u{202e}.exe'],
    ['isolate', '\u2066a\u2069', '\\u{2066}a\\u{2069}'],
    ['zero-width space and joiner', 'v\u200b1\u200d', 'v\\u{200b}1\\u{200d}'],
    ['line ends and tabs', 'a\r\n\tb', 'a\\u{d}\\u{a}\\u{9}b'],
    ['terminal escape', '\u001b[31m', '\\u{1b}[31m'],
    ['line separator', 'a\u2028b', 'a\\u{2028}b'],
    ['filler without a shape', '\u3164', '\\u{3164}'],
    ['half of a surrogate pair', 'a\ud800', 'a\\u{d800}'],
    ['tag character', '\u{e0041}', '\\u{e0041}'],
  ])('writes a %s as its escape', (_, text, shown) => expect(visible(text)).toBe(shown))

  it.each(['<img src=x onerror=alert(1)>', 'Größe 模型 🙂', 'javascript:alert(1)', ''])(
    'leaves %j as it is: an element shows it as text',
    (text) => expect(visible(text)).toBe(text),
  )
})

describe('numbers and times', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [1023, '1023 bytes'],
    [1024, '1.0 KiB'],
    [20_000_000, '19.1 MiB'],
    [16_060_522_240, '15.0 GiB'],
    [2 ** 60, '1048576.0 TiB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it('shows 100 % only when every byte is there', () => {
    expect(formatShare(999_999, 1_000_000)).toBe('99 %')
    expect(formatShare(5, 5)).toBe('100 %')
    expect(formatShare(0, 0)).toBe('100 %')
  })

  it('shows a time in UTC, and any other text as it is', () => {
    expect(formatTime('2026-11-23T04:00:00.000Z')).toBe('2026-11-23 04:00:00 UTC')
    expect(formatTime('yesterday\u202e')).toBe('yesterday\\u{202e}')
  })
})
