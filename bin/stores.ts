/** The stores that `bin/serve.ts` wires: a folder, or S3 and DynamoDB. */
import type { FullStores } from '../lib/http/full-api.ts'
import type { HotStores } from '../lib/http/node/hot-path.ts'
import type { ExtraRoutes } from '../lib/http/node/with-logging.ts'

/** The stores that the rules use. */
type Ports = Omit<FullStores, 'clock' | 'maxArtifactBytes' | 'maxInlineBytes' | 'presignedSeconds'>

export interface Stores {
  readonly ports: Ports
  /** Set when plain small requests may take the hot path. */
  readonly hot?: Pick<HotStores, 'ledger' | 'bytes'>
  /** The presigned requests of a store that answers them itself. */
  readonly extraRoutes?: ExtraRoutes
  close(): Promise<void>
}
