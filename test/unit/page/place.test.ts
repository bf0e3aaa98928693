/** The address of the page names exactly one place, and hostile addresses name none. */
import { describe, expect, it } from 'vitest'
import { formatPlace, parseName, parsePlace } from '../../../lib/page/place.ts'

const DIGEST = `sha256:${'0a'.repeat(32)}`

describe('places', () => {
  it.each([
    '#',
    '#/store',
    '#demo/model',
    '#demo/model/v1',
    `#demo/model/v1@${DIGEST}`,
    '#a/B:7/2026-11-23T04:00+x_y',
  ])('%s leads to a place that has this address', (fragment) =>
    expect(formatPlace(parsePlace(fragment))).toBe(fragment),
  )

  it('reads a fragment that another program escaped', () => {
    expect(parsePlace(`#demo%2Fmodel%2Fv1%40${encodeURIComponent(DIGEST)}`)).toMatchObject({
      view: 'entry',
      digest: DIGEST,
    })
  })

  it.each([
    '#demo',
    '#demo/model/v1/x',
    '#<img src=x onerror=alert(1)>',
    '#demo/model/<b>',
    '#demo/mo\u202edel/v1',
    '#demo/model/v1@',
    '#demo/model/v1@sha256:00',
    `#demo/model@${DIGEST}`,
    `#demo/model/v1@${DIGEST}@${DIGEST}`,
    '#../../etc',
    '#demo//v1',
    '#%',
    '#javascript:alert(1)',
  ])('%s is refused with the reason', (fragment) =>
    expect(() => parsePlace(fragment)).toThrow(expect.objectContaining({ code: 'invalid_request' })),
  )

  it('ignores white space around a pasted ref', () => {
    expect(formatPlace(parseName('  demo/model/v1\n'))).toBe('#demo/model/v1')
  })
})
