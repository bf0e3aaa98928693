/** The options and the result of a put. */
import type { Description } from '../../domain/description.ts'
import type { Entry } from '../../domain/entry.ts'
import type { TransferOptions } from './progress.ts'

/** Every member of a description is an option. */
type DescriptionOptions = { readonly [M in keyof Description]?: string | undefined }

export interface PutOptions extends TransferOptions, DescriptionOptions {
  /** What the bytes must be, `sha256:…`: other bytes are `digest_mismatch` before anything is sent. */
  readonly digest?: string | undefined
  /** Opaque text, 1–256 characters (docs/http-api.md, section 1). */
  readonly uploadedBy?: string | undefined
  /** Opaque text, 1–1,024 characters. */
  readonly provenanceSource?: string | undefined
  /** At most 255 characters; `application/octet-stream` when left out. */
  readonly contentType?: string | undefined
}

export interface PutResult {
  readonly entry: Entry
  /** False if the same bytes were stored there before. */
  readonly created: boolean
}
