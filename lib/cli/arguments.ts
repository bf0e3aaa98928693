/** Values of options and arguments that several commands take. */
import type { Digest } from '../domain/digest.ts'
import type { ArtifactRef } from '../domain/identifiers.ts'
import { UsageError } from './failure.ts'

/** Collects the values of an option that may be repeated. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

/** The digest that `--locked FILE` names for a ref. @param pinned in the ref itself. @throws LockFileError. */
export async function lockedDigest(
  file: string,
  ref: ArtifactRef,
  pinned: Digest | undefined,
): Promise<Digest> {
  const { lockedRef } = await import('../client/node.ts')
  return (await lockedRef(file, ref, pinned)).digest
}

const MOST_PARALLEL = 64

/** @returns a number of transfers at once. @throws UsageError. */
export function parseParallel(text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= 1 && number <= MOST_PARALLEL) return number
  throw new UsageError(
    `--parallel: ${JSON.stringify(text)} is not a number from 1 to ${MOST_PARALLEL}`,
    'Write --parallel 8.',
    'Invalid number of files at once',
  )
}
