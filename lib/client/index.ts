/**
 * The client for browsers and wherever there is only `fetch`: the public entry `bucket-v1/client`.
 * In Node the same import loads node.ts, which adds files.
 */
import { browserPlatform } from './browser/platform.ts'
import { type BucketClientOptions, BucketClient as CoreClient } from './client.ts'
import { type ArtifactDigests, hashSource } from './transfer/artifact-hash.ts'
import type { TransferOptions } from './transfer/progress.ts'
import type { Source } from './transfer/source.ts'

export { MANIFEST_TYPE } from './folder/manifest.ts'
export * from './surface.ts'
export type { ArtifactDigests } from './transfer/artifact-hash.ts'
export { blobSource } from './transfer/source.ts'

/**
 * A client of one Bucket API.
 *
 * @example
 * const bucket = new BucketClient({ url: 'https://artifacts.example/v1', auth: { kind: 'bearer', token } })
 * const { entry, created } = await bucket.put('prod-models/llama/v1', blob)
 */
export class BucketClient extends CoreClient {
  constructor(options: BucketClientOptions = {}) {
    super(browserPlatform(), options)
  }
}

/**
 * The digests of bytes, as plain data and without any request. A source that carries them is not hashed again by `put`:
 * `{ ...source, ...digests }`.
 *
 * @throws SourceChangedError when the bytes change while they are read; the reason of `signal`.
 */
export const digestsOf = async (source: Source, options: TransferOptions = {}): Promise<ArtifactDigests> =>
  await hashSource(source, browserPlatform().sha256, options)
