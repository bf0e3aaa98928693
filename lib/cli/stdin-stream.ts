/**
 * Standard input that is what the caller gave. For a descriptor that is no file, pipe, socket or terminal Node makes an
 * empty stream: a folder, or a whole disk, would be stored as zero bytes, for ever.
 */
import { createReadStream, fstatSync } from 'node:fs'
import type { Readable } from 'node:stream'

/**
 * @param stdin as `process.stdin`, which tells its descriptor whatever it is made of.
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
