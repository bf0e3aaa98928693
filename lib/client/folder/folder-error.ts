/** Errors of a folder that is pushed or pulled, apart from those of the network and the store. */

export type FolderErrorCode =
  /** A local folder has something that no manifest can describe. */
  | 'folder_invalid'
  /** The manifest breaks its rules. */
  | 'manifest_invalid'
  /** The target of a pull cannot hold the folder. */
  | 'target_invalid'
  /** The target of a pull has other content. */
  | 'target_exists'

export class FolderError extends Error {
  override readonly name = 'FolderError'
  readonly code: FolderErrorCode
  readonly next: string

  constructor(code: FolderErrorCode, message: string, next: string) {
    super(message)
    this.code = code
    this.next = next
  }
}
