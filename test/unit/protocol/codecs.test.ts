/** A client decodes every value that a server encodes to the same domain value. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DESCRIPTION, DESCRIPTION_MEMBERS, type Description } from '../../../lib/domain/description.ts'
import { digestFromHex } from '../../../lib/domain/digest.ts'
import type { Entry } from '../../../lib/domain/entry.ts'
import { BucketError, toFailure } from '../../../lib/domain/errors.ts'
import { artifactRef } from '../../../lib/domain/refs.ts'
import type { Upload } from '../../../lib/domain/upload.ts'
import {
  BODY_DECODERS,
  decodeDownload,
  decodeEntry,
  decodePage,
  decodePartRequests,
  decodeProblem,
  decodeService,
  decodeUpload,
} from '../../../lib/protocol/decode.ts'
import { ENCODERS } from '../../../lib/protocol/encode.ts'
import { invalidInputs } from '../../../lib/protocol/input-error.ts'
import { PROBLEM_TEXTS } from '../../../lib/protocol/problem-texts.ts'

const CONTEXT = { requestId: 'r-1', origin: 'https://bucket.test' }
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const identifier = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+:-]{0,30}$/)
const hex = fc.stringMatching(/^[0-9a-f]{64}$/)
const size = fc.nat({ max: 2 ** 40 })
const time = fc
  .date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true })
  .map((date) => date.toISOString())
const text = fc.stringMatching(/^[\x21-\x7e]{1,20}( [\x21-\x7e]{1,20})?$/)
const id = fc
  .record({ bucketId: identifier, artifactId: identifier, version: identifier, hex })
  .map(({ hex: digest, ...ref }) => ({ ref: artifactRef(ref), digest: digestFromHex(digest) }))
/** Every member of the table, so that a new one is covered at once. */
const description = fc.record(
  Object.fromEntries(
    DESCRIPTION_MEMBERS.map((member) => [
      member,
      DESCRIPTION[member].absent === null ? fc.option(text) : text,
    ]),
  ),
) as fc.Arbitrary<Description>
const entry: fc.Arbitrary<Entry> = fc
  .record({ id, size, description, createdAt: time })
  .map(({ id: blob, description: described, ...others }) => ({ ...blob, ...described, ...others }))
const request = fc.record({
  method: fc.constant('PUT' as const),
  url: fc.constant('https://store.test/path?signature=1'),
  headers: fc.constant({ 'if-none-match': '*' }),
  expiresAt: time,
})
const part = fc.record({ number: fc.integer({ min: 1, max: 10_000 }), size, sha256: hex })
const facts = { id, size, description, expiresAt: time }
const mode = fc.constantFrom('single' as const, 'multipart' as const)
const failure = fc.oneof(
  fc.constant(toFailure(BucketError.unavailable('the stores kept failing'))),
  entry.map((stored) =>
    toFailure(
      new BucketError('version_exists', 'it is stored', {
        conflict: 'different',
        declaredDigest: stored.digest,
        stored,
      }),
    ),
  ),
)
const upload = fc.oneof(
  fc.record({
    ...facts,
    state: fc.constant('open' as const),
    mode: fc.constant('single' as const),
    received: fc.boolean(),
    request,
  }),
  fc.record({
    ...facts,
    // An upload of zero bytes is always single.
    size: fc.integer({ min: 1, max: 2 ** 40 }),
    state: fc.constant('open' as const),
    mode: fc.constant('multipart' as const),
    received: fc.array(part, { maxLength: 3 }),
  }),
  fc.record({ ...facts, mode, state: fc.constant('verifying' as const), verifiedBytes: size }),
  fc.record({ ...facts, mode, state: fc.constant('committed' as const), entry }),
  fc.record({ ...facts, mode, state: fc.constant('failed' as const), failure }),
) as fc.Arbitrary<Upload>

describe('a value that is encoded and decoded is the same', () => {
  it('when it is an entry', () => {
    fc.assert(
      fc.property(entry, (value) => {
        expect(decodeEntry(json(ENCODERS.Entry(value, CONTEXT)))).toEqual({ ok: true, value })
      }),
    )
  })

  it('when it is an upload, in every state', () => {
    fc.assert(
      fc.property(upload, (value) => {
        expect(decodeUpload(json(ENCODERS.Upload(value, CONTEXT)))).toEqual({ ok: true, value })
      }),
    )
  })

  it('when it is a page, a download, or requests for parts', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 3 }), request, part, (entries, presigned, { number }) => {
        const page = { entries, next: 'cursor' }
        expect(decodePage(json(ENCODERS.VersionsPage(page, CONTEXT)))).toEqual({ ok: true, value: page })
        const [{ digest, size: bytes } = { digest: digestFromHex('0'.repeat(64)), size: 0 }] = entries
        const download = { request: { ...presigned, method: 'GET' as const }, entry: { digest, size: bytes } }
        expect(decodeDownload(json(ENCODERS.Download(download, CONTEXT)))).toEqual({
          ok: true,
          value: download,
        })
        const parts = [{ number, request: presigned }]
        expect(decodePartRequests(json(ENCODERS.PartRequests(parts, CONTEXT)))).toEqual({
          ok: true,
          value: parts,
        })
      }),
    )
  })

  it('when it is the terms of an upload, or the parts of a request', () => {
    const terms = fc.record({ size, mode: fc.option(mode, { nil: undefined }), description })
    fc.assert(
      fc.property(terms, part, (value, { number, sha256 }) => {
        expect(BODY_DECODERS.BeginUpload(json(ENCODERS.BeginUpload(value, CONTEXT)))).toEqual({
          ok: true,
          value,
        })
        const parts = [{ number, sha256 }]
        expect(BODY_DECODERS.PresignParts(json(ENCODERS.PresignParts(parts, CONTEXT)))).toEqual({
          ok: true,
          value: parts,
        })
      }),
    )
  })

  it('when it is an error, with its details', () => {
    fc.assert(
      fc.property(entry, upload, (stored, existing) => {
        const errors = [
          new BucketError('upload_conflict', 'another size', { upload: existing }),
          new BucketError('version_exists', 'stored', {
            conflict: 'identical',
            declaredDigest: stored.digest,
            stored,
          }),
          new BucketError('artifact_too_large', 'too large', { size: 7, maxArtifactBytes: 5 }),
          invalidInputs([{ in: 'query', name: 'limit', detail: 'is 0' }]),
        ]
        for (const error of errors) {
          const decoded = decodeProblem(json(ENCODERS.Problem(error, CONTEXT)))
          expect(decoded).toMatchObject({
            code: error.code,
            message: error.message,
            next: PROBLEM_TEXTS[error.code].next,
          })
          expect(decoded?.details).toEqual(error.details)
          expect(decoded?.requestId).toBe('r-1')
        }
      }),
    )
  })
})

describe('an invalid response', () => {
  it('is refused with every invalid member in one sentence', () => {
    expect(decodeEntry({ size: -1, digest: 'md5:1' })).toMatchObject({
      ok: false,
      error: expect.stringMatching(/bucket_id is missing.*digest is not sha256:.*size is negative/),
    })
  })

  it('may have members that this version does not know', () => {
    const service = { ...ENCODERS.Service({ maxArtifactBytes: 2, maxInlineBytes: 1 }, CONTEXT), region: 'x' }
    expect(decodeService(service)).toEqual({ ok: true, value: { maxArtifactBytes: 2, maxInlineBytes: 1 } })
  })

  it('may have an unknown code, which is kept separate from the known ones', () => {
    expect(decodeProblem({ code: 'brewing', detail: 'tea' })).toBeUndefined()
    expect(decodeProblem({ message: 'Forbidden' })).toBeUndefined()
  })
})

describe('the details of a problem', () => {
  const digest = `sha256:${'0'.repeat(64)}`
  const problem = { code: 'digest_mismatch', detail: 'other bytes', declared_digest: digest, size: 5 }

  it.each([
    ['computed_digest', 'md5:1'],
    ['size', -1],
    ['size', 'five'],
    ['hint', { html: 'x' }],
    ['conflict', 'maybe'],
    ['missing', [0]],
    ['received', [{ number: 1 }]],
    ['errors', [{ name: 1 }]],
    ['max_artifact_bytes', null],
    ['stored', { digest }],
  ])('have the form of the contract, or are left out: %s %j', (member, value) => {
    const details = decodeProblem({ ...problem, [member]: value })?.details
    const known = { declaredDigest: digest }
    expect(details).toEqual(member === 'size' ? known : { ...known, size: 5 })
  })
})

describe('a message of an older server', () => {
  const sent = {
    bucket_id: 'b',
    artifact_id: 'a',
    version: 'v',
    digest: `sha256:${'0'.repeat(64)}`,
    size: 1,
    content_type: 'text/plain',
    uploaded_by: 'me',
  }
  const older = { ...sent, created_at: '2026-11-23T04:00:00.000Z' }

  it('is an entry without a descriptive member: the member is null', () => {
    expect(decodeEntry(older)).toMatchObject({ value: { uploadedBy: 'me', provenanceSource: null } })
  })

  it('is an upload without a descriptive member: the member is null, in its entry too', () => {
    const message = {
      ...sent,
      mode: 'single',
      state: 'committed',
      expires_at: older.created_at,
      entry: older,
    }
    expect(decodeUpload(message)).toMatchObject({
      value: { description: { uploadedBy: 'me', provenanceSource: null }, entry: { provenanceSource: null } },
    })
  })

  it('is refused if a descriptive member is not text', () => {
    expect(decodeEntry({ ...older, provenance_source: 7 })).toEqual({
      ok: false,
      error: 'provenance_source is not a string',
    })
  })
})
