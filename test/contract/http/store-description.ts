/**
 * The texts of an uploader at their limits: anything except visible ASCII with single inner spaces is refused (docs/http-api.md, section
 * 1).
 */
import { describe, expect, test } from 'vitest'
import { expectFaults, type FaultAt } from '../../support/problem.ts'
import { freshRef, json, put, stored, versionPath } from './requests.ts'
import { needs, type TargetThunk } from './target.ts'

const TEXTS = [
  { name: 'X-Uploaded-By', member: 'uploaded_by', limit: 256 },
  { name: 'X-Provenance-Source', member: 'provenance_source', limit: 1024 },
  { name: 'Content-Type', member: 'content_type', limit: 255 },
] as const

/** A text of `length` characters in the form of a media type, so that no proxy changes it. */
const long = (length: number) => `text/plain;p=${'x'.repeat(length)}`.slice(0, length)

export function describeStoreDescription(target: TargetThunk): void {
  describe.each(TEXTS)('$name', ({ name, member, limit }) => {
    const at: FaultAt = `header ${name}`

    test(`may have ${limit} characters`, async () => {
      const { entry } = await stored(target(), 'x', [[name, long(limit)]])
      expect(entry[member]).toBe(long(limit))
    })

    test(`${limit + 1} characters are 400, and nothing is stored`, async () => {
      const ref = freshRef()
      expectFaults(await put(target(), ref, 'x', [[name, long(limit + 1)]]), at)
      expect((await target().send({ method: 'HEAD', path: versionPath(ref) })).status).toBe(404)
    })

    test('may have one character', async () => {
      const { entry } = await stored(target(), 'x', [[name, '!']])
      expect(entry[member]).toBe('!')
    })

    test('an empty string is invalid', async (context) => {
      needs(context, target(), 'empty-header')
      expectFaults(await put(target(), freshRef(), 'x', [[name, '']]), at)
    })

    test('two consecutive spaces are invalid', async (context) => {
      needs(context, target(), 'header-bytes')
      expectFaults(await put(target(), freshRef(), 'x', [[name, 'a  b']]), at)
    })

    test('a tab is invalid', async (context) => {
      needs(context, target(), 'header-bytes')
      expectFaults(await put(target(), freshRef(), 'x', [[name, 'a\tb']]), at)
    })

    test('characters outside of ASCII are invalid', async (context) => {
      needs(context, target(), 'header-bytes')
      expectFaults(await put(target(), freshRef(), 'x', [[name, 'caf\u00e9']]), at)
    })

    test('surrounding spaces belong to the header line, not to the text', async () => {
      const { entry } = await stored(target(), 'x', [[name, '  a b  ']])
      expect(entry[member]).toBe('a b')
    })
  })

  describe('Content-Type: application/x-www-form-urlencoded, the default of curl and urllib', () => {
    test.for([
      'application/x-www-form-urlencoded',
      'Application/X-WWW-Form-URLencoded',
      'application/x-www-form-urlencoded; charset=utf-8',
    ])('counts as absent when written %s', async (type, context) => {
      needs(context, target(), 'form-body')
      const { entry } = await stored(target(), 'x', [['Content-Type', type]])
      expect(entry.content_type).toBe('application/octet-stream')
    })

    test('does not hide another type that begins like it', async () => {
      const { entry } = await stored(target(), 'x', [['Content-Type', 'application/x-www-form-urlencoded2']])
      expect(entry.content_type).toBe('application/x-www-form-urlencoded2')
    })
  })

  test('absent optional members are null, and Bucket fills in none of them', async () => {
    const response = await put(target(), freshRef(), 'x', [
      ['User-Agent', 'somebody/1.0'],
      ['From', 'a@example.com'],
    ])
    expect(json(response)).toMatchObject({ uploaded_by: null, provenance_source: null })
  })
}
