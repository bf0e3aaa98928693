/** `Last-Modified` of a version: when it was stored, in whole seconds, and never in the future (RFC 9110, section 8.8.2.1). */
import { expect, it } from 'vitest'
import { lastModified } from '../../../lib/http/artifact-headers.ts'
import { entryOf, someBytes } from '../../support/fake-artifacts.ts'

const entry = entryOf('b/a/v', someBytes(1), { createdAt: '2026-11-23T04:00:00.700Z' })
const at = (time: string) => Date.parse(time)

it.each([
  ['the time of the store', '2026-11-24T00:00:00.000Z', '2026-11-23T04:00:00.000Z'],
  ['the same second', '2026-11-23T04:00:00.100Z', '2026-11-23T04:00:00.000Z'],
  [
    'the time of the response, after the clock was set back',
    '2026-11-22T10:00:01.900Z',
    '2026-11-22T10:00:01.000Z',
  ],
])('is %s', (_, now, expected) => {
  expect(new Date(lastModified(entry, at(now))).toISOString()).toBe(expected)
})
