/** Option values that are not text. */
import { UsageError } from './failure.ts'

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
