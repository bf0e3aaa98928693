/** The options and the result of a put. */
import type { DescriptionInput } from '../../domain/description.ts'
import type { Entry } from '../../domain/entry.ts'
import type { TransferOptions } from './progress.ts'

export interface PutOptions extends TransferOptions, DescriptionInput {
  /** What the bytes must be, `sha256:…`: other bytes are `digest_mismatch` before anything is sent. */
  readonly digest?: string | undefined
}

export interface PutResult {
  readonly entry: Entry
  /** False if the same bytes were stored there before. */
  readonly created: boolean
  /** True if the same bytes were stored there before, the server had lost them, and this call brought them back. */
  readonly restored: boolean
}
