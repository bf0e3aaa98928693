/** The client for Node: everything of the core, and files. The public entry `bucket-v1/client` in Node. */
import { Readable } from 'node:stream'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import { Semaphore } from '../flow/semaphore.ts'
import { digestOf } from './api/open-range.ts'
import {
  type BucketClientOptions,
  BucketClient as CoreClient,
  type Ensured,
  type PutSource,
  type RefInput,
  refOf,
} from './client.ts'
import { type DownloadOptions, type DownloadResult, downloadFile } from './node/download-file.ts'
import { fileSource } from './node/file-source.ts'
import { nodePlatform } from './node/platform.ts'
import { type PullOptions, type PullResult, pull } from './node/pull.ts'
import { type PushCalls, type PushOptions, type PushResult, push } from './node/push.ts'
import { createSha256 } from './node/sha256.ts'
import { checkOptions } from './options.ts'
import { hashSource } from './transfer/artifact-hash.ts'
import type { TransferOptions } from './transfer/progress.ts'
import type { PutOptions, PutResult } from './transfer/put-options.ts'
import { type ByteStream, readStream, type Source } from './transfer/source.ts'

export { FolderError } from './folder/folder-error.ts'
export {
  encodeManifest,
  type FolderManifest,
  folderManifest,
  MANIFEST_TYPE,
  type ManifestEntry,
  parseManifest,
} from './folder/manifest.ts'
export type { DownloadOptions, DownloadResult } from './node/download-file.ts'
export { TargetError } from './node/download-target.ts'
export { fileSource, spool } from './node/file-source.ts'
export {
  addToLockFile,
  checkLockFile,
  type LockedRef,
  LockFileError,
  lockedRef,
  readLockFile,
} from './node/lock-file.ts'
export type { KeptPartial } from './node/partial-file.ts'
export { awsCredentialSource } from './node/platform.ts'
export { proxyFor } from './node/proxy.ts'
export type { PullOptions, PullResult } from './node/pull.ts'
export type { PushOptions, PushResult } from './node/push.ts'
export * from './surface.ts'
export { withinLimit } from './transfer/within-limit.ts'

export interface NodeClientOptions extends BucketClientOptions {
  /** Certificates in PEM form that are trusted in addition to those of Node, for a server with a private authority. */
  readonly ca?: string | Buffer | undefined
}

/**
 * A client of one Bucket API, with files. Proxies are those of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
 *
 * @example
 * const bucket = new BucketClient({ url: 'http://127.0.0.1:9470/v1' })
 * await bucket.put('prod-models/llama/v1', './model.safetensors', { uploadedBy: 'training-cluster-5' })
 * await bucket.download('prod-models/llama/v1', './model.copy')
 */
export class BucketClient extends CoreClient {
  /** The number of files that are stored concurrently, far fewer than a process may have open. */
  readonly #files = new Semaphore(256)

  /** @throws TypeError as the core's; also, with the code `ca_invalid`, if `ca` holds no certificate or one that cannot be read. */
  constructor(options: NodeClientOptions = {}) {
    checkOptions(options) // before `ca` is read
    super(nodePlatform({ ca: options.ca }), options)
  }

  /** As the core's `put`; a string is the path of a file, which is read twice, never copied. */
  override async put(
    ref: RefInput,
    source: PutSource | string,
    options: PutOptions = {},
  ): Promise<PutResult> {
    holdStream(source)
    if (typeof source !== 'string') return await super.put(ref, source, options)
    const checked = refOf(ref)
    return await this.#files.run(options.signal, async () => {
      return await this.putSource(checked, await fileSource(source, options), options)
    })
  }

  /**
   * Fetches into a file. The file gets its name only after all bytes arrived, match the digest and are on disk. A download
   * that fails or is stopped leaves a hidden partial file, and the next one of the same bytes into the same folder
   * continues it. Large artifacts arrive in several ranges at once.
   *
   * A file that has these bytes already is not fetched again. One with other bytes is replaced only with `force`; it keeps
   * its permissions. If the path is a symlink, its target is written.
   *
   * @throws TargetError before anything is fetched when no file can be there, or one with other bytes is; BucketError
   * `version_not_found`, `digest_differs`, `digest_mismatch`; NetworkError; the system's error.
   */
  async download(ref: RefInput, path: string, options: DownloadOptions = {}): Promise<DownloadResult> {
    const expected = options.digest === undefined ? undefined : digestOf(options.digest)
    return await downloadFile(this.api, refOf(ref), expected, path, options)
  }

  /** As the core's `ensure`; a string is the path of a file. */
  override async ensure(
    ref: RefInput,
    source: PutSource | string,
    options: PutOptions = {},
  ): Promise<Ensured> {
    holdStream(source)
    return await this.ensureBy(ref, options, () => this.put(ref, source, options))
  }

  /**
   * Stores a folder: one artifact per file, then a manifest of them under the ref, last, so that half a folder is never
   * visible (docs/manifest.md). Files that are stored already are not sent again.
   *
   * @throws FolderError `folder_invalid` before anything is sent when a manifest cannot describe the folder; what `put`
   * throws; the system's error.
   */
  async push(ref: RefInput, folder: string, options: PushOptions = {}): Promise<PushResult> {
    const calls: PushCalls = {
      put: (to, source, putOptions) => this.putSource(to, source, putOptions),
      listVersions: (key, { signal }) => this.listVersions(key, { signal }),
    }
    return await push(calls, refOf(ref), folder, options)
  }

  /**
   * Fetches the folder of a manifest. Every file is verified; the folder gets its name when all of it is there. A pull that
   * fails or is stopped leaves a hidden staging folder next to the target, which the next pull continues. A folder that has
   * this content already is not fetched again; one with other content is replaced only with `force`.
   *
   * @throws FolderError `manifest_invalid`, `target_invalid`, `target_exists`; what `download` throws.
   */
  async pull(ref: RefInput, folder: string, options: PullOptions = {}): Promise<PullResult> {
    const expected = options.digest === undefined ? undefined : digestOf(options.digest)
    return await pull(this.api, refOf(ref), expected, folder, options)
  }
}

/**
 * Keeps a Node stream as it is until it is read. Without listeners, the failure of one, such as that of a missing file, would end the
 * process, and Node would drop what a child process has written when that process ends. Its reader throws the error later.
 *
 * @throws TypeError if the bytes of the stream are gone: it would be stored as an empty artifact.
 */
function holdStream(source: unknown): void {
  if (!(source instanceof Readable)) return
  source.on('error', ignore)
  if (source.readableEnded || (source.destroyed && source.errored === null))
    throw new TypeError('the stream was read to its end or closed before: give a new one')
  source.on('readable', ignore)
}

const ignore = (): void => undefined

/**
 * The digest and size of bytes, without any request.
 *
 * @param source stays usable and is not disposed of.
 * @returns the digest, the size in bytes, and `source`, which carries the digest so that `put` does not compute it again.
 * @throws SourceChangedError when the bytes change while they are read; the system's error; the reason of `signal`.
 */
export async function digestSource(
  source: Source,
  options: TransferOptions = {},
): Promise<{ digest: Digest; size: number; source: Source }> {
  const digests = await hashSource(source, createSha256, options)
  return { digest: digestFromHex(digests.sha256), size: source.size, source: { ...source, ...digests } }
}

/**
 * The digest and size of a stream, read once and not kept.
 *
 * @throws the stream's own error; the reason of `signal`.
 */
export async function digestStream(
  stream: ByteStream,
  { onProgress, signal }: TransferOptions = {},
  total?: number,
): Promise<{ digest: Digest; size: number }> {
  const hash = createSha256()
  let size = 0
  for await (const chunk of readStream(stream, signal)) {
    hash.update(chunk)
    size += chunk.byteLength
    onProgress?.({ phase: 'hashing', bytes: size, total })
  }
  return { digest: digestFromHex(hash.hex()), size }
}
