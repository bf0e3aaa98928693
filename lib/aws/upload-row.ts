/** The rows of the uploads table, written and read only here. */
import { UPLOADS_KEY, UPLOADS_TTL } from '../deployment/tables.ts'
import type { UploadFailure } from '../domain/failure.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { UploadId } from '../domain/upload.ts'
import type { UploadRecord } from '../repository/upload-ports.ts'
import { failureFromRow, failureRow } from '../rows/failure-row.ts'
import {
  attributeName,
  type Column,
  count,
  number,
  oneOf,
  optionalText,
  type Row,
  rowCodec,
  string,
  text,
} from './rows.ts'

/** A row without its key and its time to live. */
interface UploadRow extends Omit<UploadRecord, 'id' | 'failure'> {
  readonly problem: UploadFailure | null
  /** Names the write that the row comes from. */
  readonly writeId: string
}

const failure: Column<UploadFailure | null> = {
  write: (value) => (value === null ? undefined : string(JSON.stringify(failureRow(value)))),
  read(attribute) {
    if (attribute === undefined) return null
    return attribute.S === undefined ? undefined : failureFromRow(JSON.parse(attribute.S))
  },
}

const codec = rowCodec<UploadRow>('the uploads', {
  attempt: text(),
  revision: count,
  mode: oneOf('single', 'multipart'),
  size: count,
  state: oneOf('open', 'verifying', 'committed', 'failed'),
  expiresAt: count,
  stagingId: optionalText,
  leaseOwner: optionalText,
  leaseUntil: count,
  verifiedBytes: count,
  problem: failure,
  writeId: text(),
})

/** The attributes that conditions name. */
export const ATTEMPT = attributeName('attempt' satisfies keyof UploadRow)
export const REVISION = attributeName('revision' satisfies keyof UploadRow)
export const WRITE_ID = attributeName('writeId' satisfies keyof UploadRow)

/**
 * How long an expired row is kept for an operator, in seconds. It counts as absent. DynamoDB deletes such rows late, never
 * early, and the rules do not depend on the time.
 */
const KEPT_SECONDS = 2 * 24 * 3600

export const rowKey = ({ ref, digest }: UploadId): Row => ({
  [UPLOADS_KEY.partition]: string(formatRef(ref)),
  [UPLOADS_KEY.sort]: string(digest),
})

/** A key that no row has, for health checks: identifiers start with a letter or digit. */
export const UNUSED_KEY: Row = { [UPLOADS_KEY.partition]: string('-'), [UPLOADS_KEY.sort]: string('-') }

export const rowOf = ({ id, failure: problem, ...record }: UploadRecord, writeId: string): Row => ({
  ...rowKey(id),
  ...codec.encode({ ...record, problem, writeId }),
  [UPLOADS_TTL]: number(Math.ceil(record.expiresAt / 1000) + KEPT_SECONDS),
})

/** @throws Error if the row is not one that this module wrote. */
export function recordOf(id: UploadId, row: Row): UploadRecord {
  const { problem, writeId, ...record } = codec.decode(row)
  return { id, ...record, failure: problem }
}
