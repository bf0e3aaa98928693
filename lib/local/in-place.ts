/**
 * Notices that the path of a file or folder which a server has opened leads to another one, or to none. Bytes that are written there
 * would disappear with it.
 */
import { statSync } from 'node:fs'
import { BucketError } from '../domain/errors.ts'

export interface InPlace {
  isInPlace(): boolean
  /** @throws BucketError `unavailable` when it is not in place. */
  assertInPlace(): void
}

/**
 * @param path of what was just opened.
 * @param remedy what the operator does once it is no longer there.
 */
export function inPlaceCheck(path: string, kind: 'file' | 'folder', remedy: string): InPlace {
  const identity = () => {
    const found = statSync(path, { throwIfNoEntry: false })
    return found && `${found.dev}/${found.ino}`
  }
  const opened = identity()
  const isInPlace = () => identity() === opened
  return {
    isInPlace,
    assertInPlace() {
      if (isInPlace()) return
      throw BucketError.needsOperator(
        `${path} isn't the ${kind} that this server opened: it was moved, removed or replaced`,
        remedy,
      )
    },
  }
}

/** For what only unfinished uploads need. */
export const uploadsRemedy = (kind: 'file' | 'folder'): string =>
  `put that ${kind} back in its place and restart the server; if it is lost, restart the server, and unfinished uploads begin again`
