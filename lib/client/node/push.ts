/** A local folder becomes artifacts and a manifest. The manifest is stored last, so half a folder is never visible. */
import { stat } from 'node:fs/promises'
import { type DescriptionInput, descriptionInput } from '../../domain/description.ts'
import { type Digest, digestFromHex, digestHex } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { BucketError } from '../../domain/errors.ts'
import { type ArtifactKey, type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { artifactKey } from '../../domain/refs.ts'
import { runAtOnce } from '../../flow/run-at-once.ts'
import { digestOf } from '../api/open-range.ts'
import {
  encodeManifest,
  type FolderManifest,
  fileRef,
  filesArtifactId,
  folderManifest,
  MANIFEST_TYPE,
  type ManifestFile,
} from '../folder/manifest.ts'
import { type ArtifactDigests, hashSource } from '../transfer/artifact-hash.ts'
import type { TransferOptions } from '../transfer/progress.ts'
import type { PutOptions, PutResult } from '../transfer/put-options.ts'
import { bytesSource, type Source } from '../transfer/source.ts'
import { DigestCache, defaultCacheFolder } from './digest-cache.ts'
import { fileSource } from './file-source.ts'
import type { LockedRef } from './lock-file.ts'
import { type LocalFile, type ScanOptions, scanFolder } from './scan-folder.ts'
import { createSha256 } from './sha256.ts'

/** The description is that of every file and of the manifest, which alone has a media type. */
export interface PushOptions extends ScanOptions, TransferOptions, Omit<DescriptionInput, 'contentType'> {
  /** What the manifest must be, `sha256:…`: another folder is `digest_mismatch` before anything is sent. */
  readonly digest?: string | undefined
  /** Concurrent files; 8 by default. */
  readonly parallel?: number | undefined
  /** Computes everything and sends nothing. */
  readonly dryRun?: boolean | undefined
  /** The folder of the digest cache; `false` for none. */
  readonly cacheFolder?: string | false | undefined
  /** Called with the digest and size of the manifest before anything is sent. Its error ends the push. */
  readonly beforeSending?: ((manifest: LockedRef) => Promise<void>) | undefined
  /** Opens a file of the folder, for callers that bound what may be read; `fileSource` when left out. */
  readonly openFile?: ((path: string, options: TransferOptions) => Promise<Source>) | undefined
}

export interface PushResult {
  readonly ref: ArtifactRef
  /** Of the manifest. */
  readonly digest: Digest
  readonly manifest: FolderManifest
  /** Of the manifest; undefined for a dry run. */
  readonly entry: Entry | undefined
  /** False if this folder was stored under the ref before. */
  readonly created: boolean
  /** Paths of the files that were sent, or would be in a dry run. */
  readonly sent: readonly string[]
  /** Paths of the files that were stored before, and that the server had lost. */
  readonly restored: readonly string[]
  /** Bytes of all files. */
  readonly size: number
}

/** The calls of the client that a push needs. */
export interface PushCalls {
  put(ref: ArtifactRef, source: Source, options: PutOptions): Promise<PutResult>
  listVersions(key: ArtifactKey, options: TransferOptions): AsyncIterable<Entry>
}

export const DEFAULT_PARALLEL = 8
/** One page of a list saves up to 1,000 requests. It is used while it names at least this share of the files. */
const LIST_WORTH = 20

/** @throws FolderError `folder_invalid`; what storing throws; the system's error. */
export async function push(
  calls: PushCalls,
  ref: ArtifactRef,
  folder: string,
  options: PushOptions,
): Promise<PushResult> {
  const { signal, dryRun = false, onProgress } = options
  filesArtifactId(ref.artifactId)
  const scan = await scanFolder(folder, options)
  const hashed = await hashFiles(folder, scan.files, options)
  const manifest = folderManifest([...hashed.map(({ entry }) => entry), ...scan.others])
  const bytes = encodeManifest(manifest)
  const sha256 = createSha256()
  sha256.update(bytes)
  const digest = digestFromHex(sha256.hex())
  if (options.digest !== undefined && options.digest !== digest)
    throw new BucketError(
      'digest_mismatch',
      `the manifest of ${JSON.stringify(folder)} has the digest ${digest}, not ${options.digest}`,
      { declaredDigest: digestOf(options.digest), computedDigest: digest },
      { next: 'Nothing was sent. Find out what changed in the folder.' },
    )
  await options.beforeSending?.({ digest, size: bytes.byteLength })
  const { sent, restored } = await sendFiles(calls, ref, hashed, options)
  const size = scan.files.reduce((sum, file) => sum + file.size, 0)
  const shared = { ref, digest, manifest, sent, restored, size }
  if (dryRun) return { ...shared, entry: undefined, created: false }
  const described = { ...descriptionInput(options), contentType: MANIFEST_TYPE, digest, signal }
  const { entry, created } = await calls.put(ref, bytesSource(bytes), described)
  onProgress?.({ phase: 'committed', bytes: size, total: size })
  return { ...shared, entry, created }
}

interface HashedFile {
  readonly location: string
  readonly entry: ManifestFile
  readonly digests: ArtifactDigests
}

async function hashFiles(
  folder: string,
  files: readonly LocalFile[],
  options: PushOptions,
): Promise<HashedFile[]> {
  const { parallel = DEFAULT_PARALLEL, onProgress, signal, cacheFolder = defaultCacheFolder() } = options
  const cache = await DigestCache.open(folder, cacheFolder === false ? undefined : cacheFolder)
  const total = files.reduce((sum, { size }) => sum + size, 0)
  const hashed: HashedFile[] = []
  let bytes = 0
  const add = (count: number) => {
    bytes += count
    const counted = { done: hashed.length, total: files.length }
    onProgress?.({ phase: 'hashing', bytes, total, files: counted })
  }
  try {
    await runAtOnce(files, { limit: parallel }, signal, async (file, stop) => {
      hashed.push(await hashFile(file, cache, add, { ...options, signal: stop }))
    })
  } finally {
    await cache.save()
  }
  return hashed
}

async function hashFile(
  { path, location, executable }: LocalFile,
  cache: DigestCache,
  onBytes: (count: number) => void,
  { openFile = fileSource, signal }: PushOptions,
): Promise<HashedFile> {
  const before = await stat(location, { bigint: true })
  const described = (digest: Digest, size: number): ManifestFile => ({
    type: 'file',
    path,
    size,
    digest,
    ...(executable && { executable }),
  })
  const known = cache.get(before)
  if (known !== undefined) {
    onBytes(Number(before.size))
    return { location, entry: described(known, Number(before.size)), digests: { sha256: digestHex(known) } }
  }
  const source = await openFile(location, { signal })
  try {
    let read = 0
    const onProgress = ({ bytes }: { bytes: number }) => {
      onBytes(bytes - read)
      read = bytes
    }
    const digests = await hashSource(source, createSha256, { onProgress, signal })
    const digest = digestFromHex(digests.sha256)
    const after = await stat(location, { bigint: true })
    if (after.ino === before.ino && after.mtimeNs === before.mtimeNs) cache.add(after, digest)
    return { location, entry: described(digest, source.size), digests }
  } finally {
    await source.dispose()
  }
}

/** Sends each different file once. @returns the paths of those that were missing, and of those that were lost, sorted. */
async function sendFiles(
  calls: PushCalls,
  ref: ArtifactRef,
  files: readonly HashedFile[],
  options: PushOptions,
): Promise<Pick<PushResult, 'sent' | 'restored'>> {
  const { parallel = DEFAULT_PARALLEL, dryRun = false, openFile = fileSource, onProgress, signal } = options
  const description = descriptionInput(options)
  const byDigest = new Map<Digest, HashedFile>()
  for (const file of [...files].sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1)))
    if (!byDigest.has(file.entry.digest)) byDigest.set(file.entry.digest, file)
  const stored = await storedDigests(calls, ref, byDigest, signal)
  const missing = [...byDigest.values()].filter(({ entry }) => !stored.has(entry.digest))
  const total = missing.reduce((sum, { entry }) => sum + entry.size, 0)
  const sent: string[] = []
  const restored: string[] = []
  const underWay = new Map<string, number>()
  let done = 0
  let doneFiles = 0
  const report = () => {
    const bytes = [...underWay.values()].reduce((sum, count) => sum + count, done)
    onProgress?.({ phase: 'uploading', bytes, total, files: { done: doneFiles, total: missing.length } })
  }
  if (missing.length > 0) report()
  await runAtOnce(missing, { limit: parallel }, signal, async ({ location, entry, digests }, stop) => {
    const { path, size, digest } = entry
    if (!dryRun) {
      const source = await openFile(location, { signal: stop })
      const result = await calls.put(
        fileRef(ref, { digest }),
        { ...source, ...digests },
        {
          ...description,
          digest,
          signal: stop,
          onProgress({ phase, bytes, sent: left = 0 }) {
            if (phase !== 'uploading') return
            underWay.set(path, Math.max(bytes, left))
            report()
          },
        },
      )
      if (result.created) sent.push(path)
      if (result.restored) restored.push(path)
    } else sent.push(path)
    underWay.delete(path)
    done += size
    doneFiles += 1
    report()
  })
  return { sent: sent.sort(), restored: restored.sort() }
}

/** The files that are stored already, as far as a list finds them faster than one request per file. */
async function storedDigests(
  calls: PushCalls,
  ref: ArtifactRef,
  wanted: ReadonlyMap<Digest, unknown>,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<Digest>> {
  const stored = new Set<Digest>()
  if (wanted.size < LIST_WORTH) return stored
  const key = artifactKey({ bucketId: ref.bucketId, artifactId: filesArtifactId(ref.artifactId) })
  let seen = 0
  for await (const { ref: found, digest } of calls.listVersions(key, { signal })) {
    if (wanted.has(digest) && formatRef(found) === formatRef(fileRef(ref, { digest }))) stored.add(digest)
    seen += 1
    if (seen >= (wanted.size * 1000) / LIST_WORTH) break
  }
  return stored
}
