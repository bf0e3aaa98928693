/** Errors of a pushed or pulled folder itself; errors of the network and the store are separate. */

export type FolderErrorCode =
  /** A local folder has content that a manifest cannot describe. */
  | 'folder_invalid'
  /** The manifest breaks its rules. */
  | 'manifest_invalid'
  /** The target of a pull cannot represent the folder. */
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
