/** The stores that `bin/serve.ts` wires: a folder, or S3 and DynamoDB. */
import type { FullStores } from '../lib/http/full-api.ts'
import type { ServerOptions } from '../lib/http/node/server.ts'

/** The stores that the rules use. */
type Ports = Omit<FullStores, 'clock' | 'maxArtifactBytes' | 'maxInlineBytes' | 'presignedSeconds'>

export interface Stores {
  readonly ports: Ports
  readonly extraRoutes?: NonNullable<ServerOptions['extraRoutes']>
  close(): Promise<void>
}
