/**
 * A download as a file. The bytes go into a partial file next to the target, which gets the target's name only after they
 * match the digest and are on disk. A download that ends early leaves the partial file, and the next one continues it.
 */
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Digest, digestFromHex } from '../../domain/digest.ts'
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { errorCode } from '../../flow/error-code.ts'
import type { ApiClient } from '../api/api-client.ts'
import { getEntry } from '../api/entries.ts'
import { digestDiffers } from '../api/open-range.ts'
import { digestMismatch, type Expected, type GetOptions, openDownload } from '../transfer/download.ts'
import { aboutPath, type DownloadTarget, downloadTarget, hasBytesOf, TargetError } from './download-target.ts'
import { fillFile } from './fill-file.ts'
import { hasPartials, type KeptPartial, PartialFile, removeStalePartials } from './partial-file.ts'

export interface DownloadOptions extends GetOptions {
  /** Replaces a file that has other bytes. Without it such a file is a `TargetError` with the code `EEXIST`. */
  readonly force?: boolean | undefined
  /** Where partial files are kept; next to the target when left out. On the same file system. */
  readonly partialFolder?: string | undefined
  /** Called with the partial file of a download that fails or is aborted. */
  readonly onKept?: ((kept: KeptPartial) => void) | undefined
}

export interface DownloadResult extends Expected {
  /** False if the file already had these bytes. */
  readonly fetched: boolean
}

/**
 * @throws TargetError; BucketError `version_not_found`, `digest_differs`, `digest_mismatch`; NetworkError; the system's error, with the
 * target's path, if the file cannot be written.
 */
export async function downloadFile(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  path: string,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const target = await downloadTarget(path)
  const folder = options.partialFolder ?? dirname(target.file)
  const isKnownFirst = target.existing !== undefined || (await hasPartials(folder, expected))
  const known = isKnownFirst ? await expectedOf(api, ref, expected, options) : undefined
  if (known && target.existing) {
    if (await hasBytesOf(target, known, options)) return { ...known, fetched: false }
    if (!options.force)
      throw new TargetError(
        'EEXIST',
        `${JSON.stringify(path)} exists and has other bytes`,
        'Name another path, or replace it with force.',
      )
  }
  const { digest, size } = await fetchInto(api, ref, expected, target, known, options)
  await removeStalePartials(folder)
  return { digest, size, fetched: true }
}

async function expectedOf(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  { signal }: DownloadOptions,
): Promise<Expected> {
  const { digest, size } = await getEntry(api, ref, signal)
  if (expected !== undefined && digest !== expected) throw digestDiffers(ref, digest, expected)
  return { digest, size }
}

/** Fetches everything once more if the digest is wrong, because it is unknown which bytes are wrong. */
async function fetchInto(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  target: DownloadTarget,
  known: Expected | undefined,
  options: DownloadOptions,
): Promise<Expected> {
  const first = await fetchOnce(api, ref, expected, target, known, options)
  if (first.computed === first.digest) return first
  const second = await fetchOnce(api, ref, expected, target, first, options)
  if (second.computed === second.digest) return second
  const isSame = first.computed === second.computed
  throw digestMismatch(
    ref,
    second.digest,
    second.computed,
    isSame
      ? `they were fetched twice and have the digest ${second.computed} both times`
      : `they were fetched twice and differ each time (${first.computed}, then ${second.computed})`,
    isSame
      ? 'Do not use these bytes. The stored bytes are damaged, or something on the way changes them: tell the operator of this deployment.'
      : 'Something on the way changes bytes: try another network, and look at proxies.',
  )
}

async function fetchOnce(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  { path, file, existing }: DownloadTarget,
  known: Expected | undefined,
  options: DownloadOptions,
): Promise<Expected & { computed: Digest }> {
  const download = await openDownload(api, ref, expected, options, known)
  const { digest, size } = download
  const folder = options.partialFolder ?? dirname(file)
  let partial: PartialFile | undefined
  try {
    partial = await PartialFile.take(folder, digest, size)
    const computed = digestFromHex(await fillFile(partial, ref, download, options))
    if (computed === digest) {
      await partial.publish(file, existing?.mode ?? 0o666 & ~process.umask())
      await syncFolder(dirname(file))
    } else await partial.remove()
    return { digest, size, computed }
  } catch (error) {
    const kept = await partial?.release().catch(() => undefined)
    if (kept) options.onKept?.(kept)
    throw isOf(partial?.path, error) ? aboutPath(error, path) : error
  } finally {
    await download.close()
  }
}

/** Whether a system error is about the partial file: it names that file or none, as for an open file. */
const isOf = (partial: string | undefined, error: unknown): boolean =>
  error instanceof Error &&
  'syscall' in error &&
  (!('path' in error) || partial === undefined || error.path === partial)

/** Makes the new name durable. A folder cannot be opened on Windows, or without permission to list it. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r').catch((error: unknown) => {
    if (errorCode(error) === 'EACCES') return undefined
    throw error
  })
  try {
    await handle?.sync()
  } finally {
    await handle?.close()
  }
}
