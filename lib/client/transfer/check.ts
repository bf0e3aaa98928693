/** Looks up many refs at once, without computing or sending anything. */
import { descriptionOf } from '../../domain/description.ts'
import type { Digest } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { isBucketError } from '../../domain/errors.ts'
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { runAtOnce } from '../../flow/run-at-once.ts'
import type { ApiClient } from '../api/api-client.ts'
import { entryIfStored } from '../api/entries.ts'
import { beginUpload } from '../api/uploads.ts'

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
      const entry = await entryIfStored(api, ref, stop)
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

/**
 * Whether the server still has the bytes of a stored version. It refuses to begin an upload of them only then. If it has lost them, this
 * begins the upload that restores them (docs/http-api.md, section 7.1).
 */
export async function stillHasBytes(
  api: ApiClient,
  { ref, digest, size }: Entry,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await beginUpload(api, { ref, digest }, { size, description: descriptionOf({}) }, signal)
    return false
  } catch (error) {
    if (isBucketError(error, 'version_exists') && error.details.conflict === 'identical') return true
    throw error
  }
}
