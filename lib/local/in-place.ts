/**
 * Whether an open file or folder is still at its path. If it was moved, removed or replaced, bytes that are written into the open one
 * are lost.
 */
import { type Stats, statSync } from 'node:fs'
import { BucketError } from '../domain/errors.ts'
import { onDisk } from './disk-error.ts'

/**
 * @param opened the file or folder that was opened at `path`.
 * @returns its state now; undefined if another one, or none, is at `path`.
 */
export function statInPlace(path: string, opened: Pick<Stats, 'dev' | 'ino'>): Stats | undefined {
  const found = statIfThere(path)
  return found?.dev === opened.dev && found.ino === opened.ino ? found : undefined
}

const statIfThere = (path: string) => onDisk(() => statSync(path, { throwIfNoEntry: false }))

export interface InPlace {
  isInPlace(): boolean
  /** @throws BucketError `unavailable` when it is not in place. */
  assertInPlace(): void
}

/**
 * @param path of what was just opened.
 * @param remedy tells the operator what to do when it is not in place.
 */
export function inPlaceCheck(path: string, kind: 'file' | 'folder', remedy: string): InPlace {
  const opened = statIfThere(path)
  const isInPlace = () => opened !== undefined && statInPlace(path, opened) !== undefined
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

/** The remedy for a file or folder that only unfinished uploads need. */
export const uploadsRemedy = (kind: 'file' | 'folder'): string =>
  `put that ${kind} back in its place and restart the server; if it is lost, restart the server, and unfinished uploads begin again`
