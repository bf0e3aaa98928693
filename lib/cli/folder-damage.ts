/** Damage to a data folder in words, and as a document. */
import { formatPinnedRef } from '../domain/identifiers.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import type { FolderDamage } from './context.ts'

/** More names than this are counted, not printed. */
export const NAMED = 1_000

const WORDS: { readonly [F in FolderDamage['fault']]: string } = {
  missing: 'missing',
  wrong_size: 'wrong size',
  wrong_digest: 'wrong digest',
  unreadable: 'unreadable',
}

export function damageLine({ entry, fault, path, foundSize, foundDigest, movedTo }: FolderDamage): string {
  const found = foundSize !== undefined ? `${foundSize} bytes instead of ${entry.size}` : (foundDigest ?? '')
  return `${WORDS[fault]}  ${formatPinnedRef(entry)}  ${path}${found && `  (${found})`}${movedTo ? `  moved to ${movedTo}` : ''}\n`
}

export const damageDocument = ({ entry, fault, path, foundSize, foundDigest, movedTo }: FolderDamage) => ({
  fault,
  path,
  entry: entryMessage(entry),
  found_size: foundSize,
  found_digest: foundDigest,
  moved_to: movedTo,
})
