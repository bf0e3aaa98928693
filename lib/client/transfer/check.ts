/** Looks up many refs at once, without computing or sending anything. */
import type { Digest } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { runAtOnce } from '../../flow/run-at-once.ts'
import type { ApiClient } from '../api/api-client.ts'
import { findEntry } from '../api/entries.ts'

export interface CheckResult {
  readonly ref: ArtifactRef
  /** The digest to compare with, if one was given. */
  readonly digest: Digest | undefined
  /** `stored` if no digest was given. */
  readonly state: 'absent' | 'identical' | 'different' | 'stored'
  /** Undefined if it is absent. */
  readonly entry: Entry | undefined
}

export interface ToCheck {
  readonly ref: ArtifactRef
  readonly digest: Digest | undefined
}

/** The number of concurrent requests; each is small. */
const QUESTIONS_AT_ONCE = 16

/** @returns one result for each ref, in the same order. */
export async function check(
  api: ApiClient,
  refs: readonly ToCheck[],
  signal: AbortSignal | undefined,
): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  await runAtOnce(
    refs.entries(),
    { limit: QUESTIONS_AT_ONCE },
    signal,
    async ([at, { ref, digest }], stop) => {
      const entry = await findEntry(api, ref, stop)
      results[at] = { ref, digest, state: stateOf(entry, digest), entry }
    },
  )
  return results
}

function stateOf(entry: Entry | undefined, digest: Digest | undefined): CheckResult['state'] {
  if (entry === undefined) return 'absent'
  if (digest === undefined) return 'stored'
  return entry.digest === digest ? 'identical' : 'different'
}
