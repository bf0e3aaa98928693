/**
 * The client for browsers and wherever there is only `fetch`: the public entry `bucket-v1/client`.
 * In Node the same name leads to node.ts, which adds files.
 */
import { browserPlatform } from './browser/platform.ts'
import { type BucketClientOptions, BucketClient as CoreClient } from './client.ts'

export * from './surface.ts'

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
