/**
 * The rows of uploads on disk, with their own format and version. Rows of format 1 have no version: they are records of uploads as they
 * were in the program then.
 */
import { parseDigest } from '../domain/digest.ts'
import { formatRef } from '../domain/identifiers.ts'
import { parseRef } from '../domain/refs.ts'
import type { UploadId } from '../domain/upload.ts'
import type { UploadRecord } from '../repository/upload-ports.ts'
import { type FailureRow, failureFromRow, failureRow } from '../rows/failure-row.ts'
import { type DescriptionRow, descriptionFromRow, descriptionRow } from './description-row.ts'

const FORMAT = 2

interface IdRow {
  readonly ref: string
  readonly digest: string
}

/** Rows call a failure a problem. */
interface WithProblem {
  readonly problem: FailureRow | null
}

interface UploadRow2 extends Omit<UploadRecord, 'id' | 'description' | 'failure'>, WithProblem {
  readonly format: typeof FORMAT
  readonly id: IdRow
  readonly description: DescriptionRow
}

interface UploadRow1 extends Omit<UploadRecord, 'description' | 'failure'>, WithProblem {
  readonly format?: undefined
  readonly description: DescriptionRow
}

export type UploadRow = UploadRow1 | UploadRow2

/** Where the parts of one attempt are collected. */
export interface StagingFile {
  readonly id: UploadId
  readonly attempt: string
  /** Bytes of the whole. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** No more parts can arrive. */
  readonly isComplete: boolean
}

interface StagingRow2 extends Omit<StagingFile, 'id'> {
  readonly format: typeof FORMAT
  readonly id: IdRow
}

export type StagingRow = StagingRow2 | (StagingFile & { readonly format?: undefined })

const idRow = ({ ref, digest }: UploadId): IdRow => ({ ref: formatRef(ref), digest })

function idFromRow({ ref, digest }: IdRow): UploadId {
  const parsed = parseDigest(digest)
  if (!parsed.ok) throw new Error(`the row of an upload to ${ref} is damaged: its digest ${parsed.error}`)
  return { ref: parseRef(ref), digest: parsed.value }
}

export const uploadRow = ({ failure, ...record }: UploadRecord): UploadRow => ({
  ...record,
  format: FORMAT,
  id: idRow(record.id),
  description: descriptionRow(record.description),
  problem: failure && failureRow(failure),
})

export function uploadFromRow(row: UploadRow): UploadRecord {
  expectFormat(row.format)
  const { format, id, problem, ...rest } = row
  return {
    ...rest,
    failure: problem && failureFromRow(problem),
    id: format === undefined ? row.id : idFromRow(row.id),
    description: descriptionFromRow(row.description),
  }
}

export const stagingRow = (file: StagingFile): StagingRow => ({ ...file, format: FORMAT, id: idRow(file.id) })

export function stagingFromRow(row: StagingRow): StagingFile {
  expectFormat(row.format)
  const { format, id, ...rest } = row
  return { ...rest, id: format === undefined ? row.id : idFromRow(row.id) }
}

function expectFormat(format: number | undefined): void {
  if (format !== undefined && format !== FORMAT)
    throw new Error(`a row has format ${format}, which this version of Bucket does not know`)
}
