/** The dates of header fields (RFC 9110, section 5.6.7): three forms, and nothing else that a lenient parser would take. */
import { describe, expect, it } from 'vitest'
import { parseHttpDate } from '../../../lib/http/http-date.ts'

const NOW = Date.parse('2026-11-23T04:00:00Z')
const TIME = Date.parse('1994-11-06T08:49:37Z')

describe('a date of a header field', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    '%j is parsed',
    (field) => {
      expect(parseHttpDate(field, NOW)).toBe(TIME)
    },
  )

  it('with a two-digit year is at most 50 years ahead', () => {
    expect(parseHttpDate('Friday, 06-Nov-76 08:49:37 GMT', NOW)).toBe(Date.parse('2076-11-06T08:49:37Z'))
    expect(parseHttpDate('Sunday, 06-Nov-77 08:49:37 GMT', NOW)).toBe(Date.parse('1977-11-06T08:49:37Z'))
  })

  it.each([
    '2030',
    '2030-01-01',
    '1994-11-06T08:49:37.000Z',
    'foo 2030',
    'Jan 1 2030',
    '1',
    'yesterday 5',
    'Tue, 31 Feb 2030 00:00:00 GMT',
    'Mon, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 +0100',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    '',
  ])('%j is not a date', (field) => {
    expect(parseHttpDate(field, NOW)).toBeUndefined()
  })
})
