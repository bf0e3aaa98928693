/**
 * The client over any platform, as one class. Each method is one flow in a separate file. The client reads no environment: address,
 * authorization and time limits are all given.
 */
import { versionExists } from '../domain/conflict.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactRef } from '../domain/identifiers.ts'
import { artifactKey, artifactRef, parseRef } from '../domain/refs.ts'
import { servicePath } from '../protocol/routes.ts'
import { type ApiClient, apiRoot, createApiClient } from './api/api-client.ts'
import { type Auth, authForHost, authorizer } from './api/auth.ts'
import { type Service, serviceOf } from './api/decode.ts'
import { getEntry, listEntries } from './api/entries.ts'
import type { OnEvent } from './api/events.ts'
import { digestOf } from './api/open-range.ts'
import { DEFAULT_RETRY, type RetryPolicy } from './api/retry.ts'
import { DEFAULT_TIMEOUTS, type Timeouts } from './api/transport.ts'
import type { Upload } from './api/uploads.ts'
import { abortUpload, type UploadId, uploadState } from './api/uploads.ts'
import { checkOptions, numbersOf } from './options.ts'
import type { Platform } from './platform.ts'
import { type CheckResult, check, stillHasBytes } from './transfer/check.ts'
import {
  type Download,
  type GetOptions,
  openDownload,
  type VerifiedStream,
  verifiedStream,
} from './transfer/download.ts'
import { put } from './transfer/put.ts'
import type { PutOptions, PutResult } from './transfer/put-options.ts'
import { type ByteStream, blobSource, bytesSource, type Source } from './transfer/source.ts'
import { withinLimit } from './transfer/within-limit.ts'

/** The default address of a local server. */
export const DEFAULT_URL = 'http://127.0.0.1:9470/v1'

export interface BucketClientOptions {
  /** The root of the API, `…/v1`; `http://127.0.0.1:9470/v1` when left out. */
  readonly url?: string | URL | undefined
  /** Left out: IAM for an `execute-api` address, nothing for any other. */
  readonly auth?: Auth | undefined
  /** Sent as `X-Api-Key` to the API alone, in addition to what `auth` sends. */
  readonly apiKey?: string | undefined
  readonly retry?: Partial<RetryPolicy> | undefined
  readonly timeouts?: Partial<Timeouts> | undefined
  /** Called for every response, failed request and retry, for logs and displays. */
  readonly onEvent?: OnEvent | undefined
}

/** The outcome of `ensure`. */
export type Ensured = 'created' | 'identical' | 'restored'

/** `bucket_id/artifact_id/version`, or the three. */
export type RefInput =
  | string
  | { readonly bucketId: string; readonly artifactId: string; readonly version: string }

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** Sources of bytes. A stream is read to its end first; a custom `Source` is opened as often as needed, then disposed of. */
export type PutSource = Blob | Uint8Array | ByteStream | Source

/**
 * A client of one Bucket API over a given platform; the public entries derive the one for Node and the one for browsers.
 * One is enough for any number of calls at once.
 */
export class BucketClient {
  /** The root of the API, without a trailing slash. */
  readonly url: string
  protected readonly platform: Platform
  protected readonly api: ApiClient
  #service: Service | undefined

  /**
   * @throws TypeError if the address is not an HTTP address or has more than the root, if a token or key is invalid in a header, if the
   * region or the credentials of `iam` are unknown, or for an unknown or invalid option.
   */
  constructor(platform: Platform, options: BucketClientOptions = {}) {
    checkOptions(options)
    const root = apiRoot(options.url ?? DEFAULT_URL)
    const auth = options.auth ?? authForHost(root)
    this.url = root.href.replace(/\/+$/, '')
    this.platform = platform
    this.api = createApiClient({
      root,
      platform,
      authorize: authorizer(auth, root, platform, options.apiKey),
      authorizes: auth.kind !== 'none' || options.apiKey !== undefined,
      retry: numbersOf('retry', DEFAULT_RETRY, options.retry),
      timeouts: numbersOf('timeouts', DEFAULT_TIMEOUTS, options.timeouts),
      onEvent: options.onEvent ?? (() => {}),
    })
  }

  /**
   * Stores bytes under a reference (docs/http-api.md, sections 4 and 7): in one request up to 64 MiB where the API accepts
   * that, else by an upload, which the same call of any process on any host finds again and continues. They are read
   * twice, because the digest is sent before them; a stream, which can be read only once, is therefore spooled: to a temporary
   * file in Node, to a Blob in a browser.
   *
   * @returns the entry, and `created: false` when the same bytes were there already; with `restored: true` if the server had lost them.
   * @throws BucketError `version_exists` (with `details.stored`) when other bytes are there, `artifact_too_large`,
   * `invalid_request`, …; NetworkError when no response came; SourceChangedError when the bytes change while they are sent.
   */
  async put(ref: RefInput, source: PutSource, options: PutOptions = {}): Promise<PutResult> {
    const checked = refOf(ref)
    return await this.putSource(checked, await this.sourceOf(source, options), options)
  }

  /**
   * Fetches the bytes of a reference (docs/http-api.md, section 5). The stream fails unless they are all there and
   * have the digest, and gives its last MiB only after that is known; it survives broken connections.
   *
   * @throws BucketError `version_not_found`, `digest_differs`, and out of the stream `digest_mismatch`; NetworkError.
   */
  async get(ref: RefInput, options: GetOptions = {}): Promise<VerifiedStream> {
    return verifiedStream(await this.openDownload(ref, options))
  }

  /**
   * Makes sure that a ref holds exactly these bytes: the call of schedulers and re-runs. With `digest`, a version that is
   * stored already is compared before the source is read.
   *
   * @returns `created`; `identical` if the same bytes were stored before; `restored` if they were, and the server had lost them.
   * @throws BucketError `version_exists` when other bytes are stored; otherwise as `put`.
   */
  async ensure(ref: RefInput, source: PutSource, options: PutOptions = {}): Promise<Ensured> {
    return await this.ensureBy(ref, options, () => this.put(ref, source, options))
  }

  protected async ensureBy(
    ref: RefInput,
    { digest, signal }: PutOptions,
    store: () => Promise<PutResult>,
  ): Promise<Ensured> {
    if (digest !== undefined) {
      const [found] = await this.check([{ ref, digest }], { signal })
      if (found?.entry && found.state !== 'identical') throw versionExists(digestOf(digest), found.entry)
      if (found?.entry && (await stillHasBytes(this.api, found.entry, signal))) return 'identical'
    }
    const { created, restored } = await store()
    if (created) return 'created'
    return restored ? 'restored' : 'identical'
  }

  /**
   * Looks up many refs at once, without computing or sending anything.
   *
   * @param refs each a ref, or a ref with the digest to compare with.
   * @returns one result for each, in the same order: `absent`, `identical`, `different`, or `stored` without a digest.
   * @throws BucketError `invalid_request` for a malformed ref or digest; NetworkError.
   */
  async check(
    refs: readonly (RefInput | { readonly ref: RefInput; readonly digest?: string | undefined })[],
    { signal }: CallOptions = {},
  ): Promise<CheckResult[]> {
    const asked = refs.map((given) => {
      const { ref, digest } = typeof given === 'object' && 'ref' in given ? given : { ref: given }
      return { ref: refOf(ref), digest: digest === undefined ? undefined : digestOf(digest) }
    })
    return await check(this.api, asked, signal)
  }

  /** @throws BucketError `version_not_found`; NetworkError. */
  async entry(ref: RefInput, { signal }: CallOptions = {}): Promise<Entry> {
    return await getEntry(this.api, refOf(ref), signal)
  }

  /**
   * The state of the upload of these bytes to this reference (docs/http-api.md, section 7.4).
   *
   * @throws BucketError `upload_not_found` where there is none, and never was a commit of it; NetworkError.
   */
  async upload(ref: RefInput, digest: string, { signal }: CallOptions = {}): Promise<Upload> {
    return await uploadState(this.api, uploadIdOf(ref, digest), signal)
  }

  /**
   * Aborts an upload and drops what was sent.
   *
   * @throws BucketError `upload_not_found`; `upload_conflict` while it is verified or once it is committed; NetworkError.
   */
  async abortUpload(ref: RefInput, digest: string, { signal }: CallOptions = {}): Promise<void> {
    await abortUpload(this.api, uploadIdOf(ref, digest), signal)
  }

  /**
   * All versions of an artifact in the byte order of their names, which says nothing about time or rank
   * (docs/http-api.md, section 6).
   *
   * @throws BucketError `invalid_request` at once when an identifier is malformed; NetworkError while it is read.
   */
  listVersions(
    key: { readonly bucketId: string; readonly artifactId: string },
    { signal }: CallOptions = {},
  ): AsyncGenerator<Entry, void> {
    return listEntries(this.api, artifactKey(key), signal)
  }

  /**
   * The service document: what this API is and accepts (docs/http-api.md, section 2). The response is cached. Until it arrives, every
   * caller sends its own request, so that an aborted caller neither leaves a request behind nor cancels another's.
   *
   * @throws BucketError as any request can; NetworkError, `unexpected_response` where the address is not that of a Bucket API.
   */
  async service({ signal }: CallOptions = {}): Promise<Service> {
    this.#service ??= serviceOf(
      await this.api.json({ method: 'GET', path: servicePath, accept: [200], signal }),
    )
    return this.#service
  }

  protected async putSource(ref: ArtifactRef, source: Source, options: PutOptions): Promise<PutResult> {
    try {
      return await put(this.api, () => this.service(options), ref, source, options)
    } finally {
      await source.dispose()
    }
  }

  protected async openDownload(ref: RefInput, options: GetOptions): Promise<Download> {
    const expected = options.digest === undefined ? undefined : digestOf(options.digest)
    return await openDownload(this.api, refOf(ref), expected, options)
  }

  private async sourceOf(source: PutSource, options: PutOptions): Promise<Source> {
    if (source instanceof Uint8Array) return bytesSource(source)
    if (source instanceof Blob) return blobSource(source)
    if (typeof source !== 'object' || source === null) throw notASource(source)
    // A Node stream of a file has an `open` method, too, so the members of a stream are checked first.
    if ('getReader' in source || Symbol.asyncIterator in source) {
      const stream = withinLimit(source, () => this.service(options), options.signal)
      return await this.platform.spool(stream, options)
    }
    if ('open' in source && 'size' in source) return source
    throw notASource(source)
  }
}

/** For callers without types. */
const notASource = (given: unknown) =>
  new TypeError(
    `${Object.prototype.toString.call(given).slice(8, -1)} is not a source of bytes: give a Uint8Array, a Blob, a stream of bytes or, in Node, a path`,
  )

/** @throws BucketError `invalid_request` with every error. */
export const refOf = (ref: RefInput): ArtifactRef =>
  typeof ref === 'string' ? parseRef(ref) : artifactRef(ref)

const uploadIdOf = (ref: RefInput, digest: string): UploadId => ({
  ref: refOf(ref),
  digest: digestOf(digest),
})
