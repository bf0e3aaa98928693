/** A message is refused with every error at once, each under its JSON path and in words that say what is expected. */
import { describe, expect, it } from 'vitest'
import { messageSchemas } from '../../../bin/message-schemas.ts'
import { MAX_PARTS_PER_REQUEST } from '../../../lib/domain/limits.ts'
import { MESSAGE_SCHEMAS } from '../../../lib/protocol/message-schemas.ts'
import { MESSAGES } from '../../../lib/protocol/messages.ts'
import { validate } from '../../../lib/protocol/validate.ts'

const SHA256 = 'a'.repeat(64)
const parts = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ number: at + 1, sha256: SHA256 }))

const errorsOf = (schema: Parameters<typeof validate>[0], body: unknown) => {
  const result = validate(schema, body)
  return result.ok ? [] : result.error.map(({ in: place, name, detail }) => `${place} ${name} ${detail}`)
}

describe('the body of a begin', () => {
  it.each([
    [{ size: 0 }],
    [{ size: 2 ** 53 - 1, mode: 'multipart' }],
    [{ size: 1, mode: null, content_type: null, uploaded_by: null, provenance_source: null }],
    [{ size: 1, content_type: 'a'.repeat(255), uploaded_by: 'a', provenance_source: 'a b'.repeat(341) }],
  ])('%j is accepted', (body) => {
    expect(validate(MESSAGES.BeginUpload, body)).toEqual({ ok: true, value: body })
  })

  it.each([
    [{}, ['body size is missing']],
    [{ size: '1' }, ['body size is not a number']],
    [{ size: 1.5 }, ['body size is not a safe integer']],
    [{ size: 2 ** 53 }, ['body size is not a safe integer']],
    [{ size: -1 }, ['body size is negative']],
    [{ size: 1, mode: 'both' }, ['body mode is not "single" or "multipart"']],
    [
      { size: 1, uploaded_by: '' },
      ['body uploaded_by is empty: leave it out, or give at least one character'],
    ],
    [
      { size: 1, uploaded_by: 'a'.repeat(257) },
      ['body uploaded_by has 257 characters: at most 256 are stored'],
    ],
    [
      { size: 1, content_type: 'a'.repeat(256) },
      ['body content_type has 256 characters: at most 255 are stored'],
    ],
    [
      { size: 1, provenance_source: 'a  b' },
      ['body provenance_source has characters other than visible ASCII with single inner spaces'],
    ],
    [
      { size: 1, latest: true, force: true },
      ['body latest is not a member of this body', 'body force is not a member of this body'],
    ],
    [
      { size: -1, mode: 1, x: 1 },
      [
        'body size is negative',
        'body mode is not "single" or "multipart"',
        'body x is not a member of this body',
      ],
    ],
  ])('%j is refused with %j', (body, errors) => {
    expect(errorsOf(MESSAGES.BeginUpload, body).sort()).toEqual([...errors].sort())
  })

  it.each([null, 3, 'text', [[]]])('%j is refused: it is not an object', (body) => {
    expect(errorsOf(MESSAGES.BeginUpload, body)).toHaveLength(1)
  })
})

describe('the body of a request for parts', () => {
  it('up to 100 different parts are accepted, in any order', () => {
    const body = { parts: parts(MAX_PARTS_PER_REQUEST).reverse() }
    expect(validate(MESSAGES.PresignParts, body)).toEqual({ ok: true, value: body })
  })

  it.each([
    ['no part', [], ['body parts is empty: name at least one part']],
    ['101 parts', parts(101), ['body parts has more than 100 parts']],
    ['a part twice', [...parts(2), ...parts(1)], ['body parts names a part number twice']],
    [
      'malformed parts',
      [{ number: 0, sha256: SHA256 }, { number: 1, sha256: SHA256.toUpperCase(), size: 1 }, { number: 1.5 }],
      [
        'body parts[0].number is below 1',
        'body parts[1].sha256 is not 64 lower-case hex digits',
        'body parts[1].size is not a member of this body',
        'body parts[2].number is not a safe integer',
        'body parts[2].sha256 is missing',
      ],
    ],
  ])('%s: every error is named', (_, given, errors) => {
    expect(errorsOf(MESSAGES.PresignParts, { parts: given })).toEqual(errors)
  })
})

describe('the generated JSON Schema', () => {
  it('is that of the messages: run `npm run schemas` if this fails', () => {
    expect(MESSAGE_SCHEMAS).toEqual(messageSchemas())
  })

  it('promises every member of a description, which a decoder takes as null where an older server omits it', () => {
    const members = ['content_type', 'uploaded_by', 'provenance_source']
    expect(MESSAGE_SCHEMAS.Entry.required).toEqual(expect.arrayContaining(members))
    expect(MESSAGE_SCHEMAS.Upload.required).toEqual(expect.arrayContaining(members))
  })
})
