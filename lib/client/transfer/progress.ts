/** The progress that a long transfer reports. */

export type Phase = 'hashing' | 'uploading' | 'verifying' | 'committed' | 'downloading'

export interface Progress {
  readonly phase: Phase
  /** Bytes done in this phase; while uploading, those whose arrival was acknowledged. */
  readonly bytes: number
  /** Bytes to do in this phase; nothing where the end is not known yet (a stream that is being spooled). */
  readonly total: number | undefined
  /** While uploading: bytes that have left, acknowledged or not. Those that are not acknowledged may have to be sent again. */
  readonly sent?: number
  /** Of several files at once. */
  readonly files?: { readonly done: number; readonly total: number }
}

export type OnProgress = (progress: Progress) => void

/** What every long transfer takes: who hears of its progress, and what ends it early. */
export interface TransferOptions {
  readonly onProgress?: OnProgress | undefined
  /** Ends the transfer; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}
