/** SHA-256 in Node. */
import { createHash } from 'node:crypto'
import type { Sha256 } from '../platform.ts'

/** @returns a new SHA-256 computation. */
export function createSha256(): Sha256 {
  const hash = createHash('sha256')
  return { update: (chunk) => void hash.update(chunk), hex: () => hash.digest('hex') }
}
