/** One entry, and all entries of one artifact. Every response is checked to be about the requested artifact. */
import type { Entry } from '../../domain/entry.ts'
import { isBucketError } from '../../domain/errors.ts'
import { type ArtifactKey, type ArtifactRef, formatArtifactKey } from '../../domain/identifiers.ts'
import { MAX_PAGE_LIMIT } from '../../domain/limits.ts'
import { decodePage } from '../../protocol/decode.ts'
import { entryPath, versionsPath } from '../../protocol/routes.ts'
import type { ApiClient } from './api-client.ts'
import { aboutAnother, decoded, decodeEntryOf } from './decode.ts'
import { NetworkError } from './network-error.ts'

/** @throws BucketError `version_not_found`, and the errors of any request. */
export async function getEntry(
  api: ApiClient,
  ref: ArtifactRef,
  signal: AbortSignal | undefined,
): Promise<Entry> {
  const response = await api.json({ method: 'GET', path: entryPath(ref), accept: [200], signal })
  return decodeEntryOf(ref, undefined, response)
}

/** @returns undefined only if the version is absent. */
export async function entryIfStored(
  api: ApiClient,
  ref: ArtifactRef,
  signal: AbortSignal | undefined,
): Promise<Entry | undefined> {
  try {
    return await getEntry(api, ref, signal)
  } catch (error) {
    if (isBucketError(error, 'version_not_found')) return undefined
    throw error
  }
}

/** Every version, page after page: a page may be short, even empty, before the last (docs/http-api.md, section 6). */
export async function* listEntries(
  api: ApiClient,
  key: ArtifactKey,
  signal: AbortSignal | undefined,
): AsyncGenerator<Entry, void> {
  let cursor: string | null = null
  do {
    const response = await api.json({
      method: 'GET',
      path: versionsPath(key),
      query: { limit: String(MAX_PAGE_LIMIT), ...(cursor !== null && { cursor }) },
      accept: [200],
      signal,
    })
    const page = decoded(decodePage(response), 'page of versions')
    if (page.next !== null && page.next === cursor)
      throw new NetworkError('unexpected_response', `the list of ${formatArtifactKey(key)} repeats a page`)
    for (const { ref } of page.entries)
      if (formatArtifactKey(ref) !== formatArtifactKey(key))
        throw aboutAnother(formatArtifactKey(key), formatArtifactKey(ref))
    yield* page.entries
    cursor = page.next
  } while (cursor !== null)
}
