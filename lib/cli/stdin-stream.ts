/**
 * Standard input as the caller gave it. For a descriptor that isn't a file, pipe, socket or terminal, Node returns an empty stream, so a
 * folder or a block device would be stored permanently as zero bytes.
 */
import { createReadStream, fstatSync } from 'node:fs'
import type { Readable } from 'node:stream'

/**
 * @param stdin as `process.stdin`, which has its descriptor in every case.
 * @returns the same, or, where Node has no stream for it, the bytes of its descriptor: those of a disk, and the system's
 * own `EISDIR` for a folder.
 *
 * @see https://nodejs.org/api/process.html#processstdin
 */
export function stdinStream(stdin: Readable & { readonly fd?: unknown }): Readable {
  const { fd } = stdin
  if (typeof fd !== 'number') return stdin
  const stat = fstatSync(fd)
  return stat.isDirectory() || stat.isBlockDevice() ? createReadStream('', { fd, autoClose: false }) : stdin
}
