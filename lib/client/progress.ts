/** What a long transfer reports while it runs. */

export type Phase = 'hashing' | 'uploading' | 'verifying' | 'committed' | 'downloading'

export interface Progress {
  readonly phase: Phase
  /** Bytes done in this phase. */
  readonly bytes: number
  /** Bytes to do in this phase; nothing where the end is not known yet (a stream that is being spooled). */
  readonly total: number | undefined
}

export type OnProgress = (progress: Progress) => void
