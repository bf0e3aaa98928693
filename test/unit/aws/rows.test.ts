/** Rows of every version that a deployed table may hold: today's, and those from before rows had a version. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { committedEntry, rowOf as ledgerRow } from '../../../lib/aws/ledger-row.ts'
import type { Row } from '../../../lib/aws/rows.ts'
import { recordOf, rowOf as uploadRow } from '../../../lib/aws/upload-row.ts'
import { DESCRIPTION_MEMBERS, describeWith } from '../../../lib/domain/description.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { described } from '../../support/described.ts'
import { digestOf, entryOf } from './fixtures.ts'
import { uploadOf } from './uploads-fixtures.ts'

/** Written by the last revision whose rows had no version. */
const OLD = JSON.parse(readFileSync(new URL('unversioned-rows.json', import.meta.url), 'utf8')) as {
  readonly entries: Readonly<Record<'full' | 'bare', Row>>
  readonly uploads: Readonly<
    Record<'open' | 'single' | 'verifying' | 'committed' | 'conflict' | 'mismatch' | 'unavailable', Row>
  >
}

const ref = parseRef('prod-models/llama_3.8b+lora:x/v3.1.0+a')
const digest = digestOf(Buffer.from('hello'))
const other = `sha256:${'0'.repeat(64)}`
const full = described({
  contentType: 'text/plain; charset=utf-8',
  uploadedBy: 'ci',
  provenanceSource: 'https://example.com/run/1',
})
const bare = described()
const createdAt = '2026-11-23T04:00:00.000Z'
const NOW = Date.parse(createdAt)

describe('rows without a version are read', () => {
  test('as entries, with null for members that they lack', () => {
    expect(committedEntry(ref, OLD.entries.full)).toEqual({
      entry: { ref, digest, size: 5, ...describeWith((member) => full[member]), createdAt },
      commitId: 'request-1',
    })
    expect(committedEntry(ref, OLD.entries.bare).entry).toEqual({
      ...{ ref, digest, size: 5, createdAt },
      ...describeWith((member) => bare[member]),
    })
  })

  const upload = {
    id: { ref, digest },
    attempt: '11111111-2222-4333-8444-555555555555',
    revision: 3,
    mode: 'multipart',
    size: 20_000_000,
    description: describeWith((member) => full[member]),
    state: 'open',
    expiresAt: NOW,
    stagingId: 'staging.id',
    leaseOwner: null,
    leaseUntil: 0,
    verifiedBytes: 0,
    failure: null,
  }

  test.each([
    ['open', {}],
    [
      'single',
      { mode: 'single', stagingId: null, size: 5, description: describeWith((member) => bare[member]) },
    ],
    [
      'verifying',
      { state: 'verifying', leaseOwner: 'owner', leaseUntil: NOW + 120_000, verifiedBytes: 8_388_608 },
    ],
    ['committed', { state: 'committed', verifiedBytes: 20_000_000 }],
  ] as const)('as the upload %s', (name, change) => {
    expect(recordOf(upload.id, OLD.uploads[name])).toEqual({ ...upload, ...change })
  })

  test('as failed uploads, with the reason in terms of the domain', () => {
    const failureOf = (name: keyof typeof OLD.uploads) => recordOf(upload.id, OLD.uploads[name]).failure
    expect(failureOf('conflict')).toMatchObject({
      code: 'version_exists',
      details: { conflict: 'different', declaredDigest: digest, stored: { ref, digest: other, createdAt } },
    })
    expect(failureOf('mismatch')).toMatchObject({
      code: 'digest_mismatch',
      details: { declaredDigest: digest, computedDigest: other, size: 20_000_000 },
    })
    expect(failureOf('unavailable')).toMatchObject({ code: 'unavailable' })
  })
})

describe('rows of a newer version are refused', () => {
  const newer = (row: Row): Row => ({ ...row, format: { N: '2' } })

  test('in the ledger', () => {
    expect(() => committedEntry(ref, newer(OLD.entries.full))).toThrow('format 2, which a newer version')
  })

  test('in the uploads', () => {
    expect(() => recordOf({ ref, digest }, newer(OLD.uploads.open))).toThrow(
      'format 2, which a newer version',
    )
  })
})

describe.each(DESCRIPTION_MEMBERS)('the member %s of a description', (named) => {
  const description = describeWith((member) => (member === named ? 'a text' : undefined))

  test('survives in a row of the ledger', () => {
    const entry = { ...entryOf(Buffer.from('hello')), ...description }
    expect(committedEntry(entry.ref, ledgerRow(entry, 'request-1'))).toEqual({ entry, commitId: 'request-1' })
  })

  test('survives in a row of the uploads', () => {
    const record = { ...uploadOf(Buffer.from('hello')), description }
    expect(recordOf(record.id, uploadRow(record, 'write-1'))).toEqual(record)
  })
})

test('rows say their version, and a member without a value has no attribute', () => {
  expect(ledgerRow(entryOf(Buffer.from('hello')), 'request-1')).toEqual({
    pk: { S: 'prod-models/llama_3.8b+lora:x' },
    sk: { S: 'v3.1.0+a' },
    format: { N: '1' },
    digest: { S: digest },
    size: { N: '5' },
    created_at: { S: createdAt },
    commit_id: { S: 'request-1' },
    content_type: { S: 'application/octet-stream' },
  })
})
