/** The shape of a row of the uploads table, written and read only here. */

import { UPLOADS_KEY, UPLOADS_TTL } from '../deployment/tables.ts'
import type { UploadFailure } from '../domain/failure.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { UploadId } from '../domain/upload.ts'
import { decodeFailure, encodeFailure } from '../protocol/stored-failure.ts'
import type { UploadRecord } from '../repository/upload-ports.ts'
import { number, optional, type Row, rowReader, string } from './rows.ts'

/** Attributes beside the keys and the time to live. `write_id` names the write that the row comes from. */
export const ATTRIBUTES = {
  attempt: 'attempt',
  revision: 'revision',
  mode: 'mode',
  size: 'size',
  contentType: 'content_type',
  uploadedBy: 'uploaded_by',
  provenanceSource: 'provenance_source',
  state: 'state',
  expiresAt: 'expires_at',
  stagingId: 'staging_id',
  leaseOwner: 'lease_owner',
  leaseUntil: 'lease_until',
  verifiedBytes: 'verified_bytes',
  problem: 'problem',
  writeId: 'write_id',
} as const

/**
 * How long a row that has expired, and so counts as absent, may be looked at by an operator before DynamoDB deletes it, in
 * seconds. DynamoDB deletes late, never early: nothing rests on when.
 */
const KEPT_SECONDS = 2 * 24 * 3600

export const rowKey = ({ ref, digest }: UploadId): Row => ({
  [UPLOADS_KEY.partition]: string(formatRef(ref)),
  [UPLOADS_KEY.sort]: string(digest),
})

export const rowOf = (record: UploadRecord, writeId: string): Row => ({
  ...rowKey(record.id),
  [ATTRIBUTES.attempt]: string(record.attempt),
  [ATTRIBUTES.revision]: number(record.revision),
  [ATTRIBUTES.mode]: string(record.mode),
  [ATTRIBUTES.size]: number(record.size),
  [ATTRIBUTES.contentType]: string(record.description.contentType),
  ...optional(ATTRIBUTES.uploadedBy, record.description.uploadedBy),
  ...optional(ATTRIBUTES.provenanceSource, record.description.provenanceSource),
  [ATTRIBUTES.state]: string(record.state),
  [ATTRIBUTES.expiresAt]: number(record.expiresAt),
  ...optional(ATTRIBUTES.stagingId, record.stagingId),
  ...optional(ATTRIBUTES.leaseOwner, record.leaseOwner),
  [ATTRIBUTES.leaseUntil]: number(record.leaseUntil),
  [ATTRIBUTES.verifiedBytes]: number(record.verifiedBytes),
  ...optional(ATTRIBUTES.problem, record.failure && JSON.stringify(encodeFailure(record.failure))),
  [ATTRIBUTES.writeId]: string(writeId),
  [UPLOADS_TTL]: number(Math.ceil(record.expiresAt / 1000) + KEPT_SECONDS),
})

const { text, optionalText, count, oneOf } = rowReader('the uploads')

/** @throws Error when the row is none that this module wrote: better no answer than a wrong one. */
export const recordOf = (id: UploadId, row: Row): UploadRecord => ({
  id,
  attempt: text(row, ATTRIBUTES.attempt),
  revision: count(row, ATTRIBUTES.revision),
  mode: oneOf(row, ATTRIBUTES.mode, ['single', 'multipart']),
  size: count(row, ATTRIBUTES.size),
  description: {
    contentType: text(row, ATTRIBUTES.contentType),
    uploadedBy: optionalText(row, ATTRIBUTES.uploadedBy),
    provenanceSource: optionalText(row, ATTRIBUTES.provenanceSource),
  },
  state: oneOf(row, ATTRIBUTES.state, ['open', 'verifying', 'committed', 'failed']),
  expiresAt: count(row, ATTRIBUTES.expiresAt),
  stagingId: optionalText(row, ATTRIBUTES.stagingId),
  leaseOwner: optionalText(row, ATTRIBUTES.leaseOwner),
  leaseUntil: count(row, ATTRIBUTES.leaseUntil),
  verifiedBytes: count(row, ATTRIBUTES.verifiedBytes),
  failure: failureOf(row),
})

const failureOf = (row: Row): UploadFailure | null =>
  row[ATTRIBUTES.problem] === undefined ? null : decodeFailure(JSON.parse(text(row, ATTRIBUTES.problem)))
