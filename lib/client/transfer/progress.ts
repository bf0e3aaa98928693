/** The progress that a long transfer reports. */

export type Phase = 'hashing' | 'uploading' | 'verifying' | 'committed' | 'downloading'

export interface Progress {
  readonly phase: Phase
  /** Bytes done in this phase; while uploading, acknowledged bytes. */
  readonly bytes: number
  /** Total bytes of this phase; undefined if unknown, as for a stream that is being spooled. */
  readonly total: number | undefined
  /** While uploading: sent bytes, acknowledged or not. Unacknowledged bytes may have to be sent again. */
  readonly sent?: number
  /** Of several files at once. */
  readonly files?: { readonly done: number; readonly total: number }
}

export type OnProgress = (progress: Progress) => void

/** The options of every long transfer: an observer of its progress, and a signal that aborts it. */
export interface TransferOptions {
  readonly onProgress?: OnProgress | undefined
  /** Ends the transfer; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}
