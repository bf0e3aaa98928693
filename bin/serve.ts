/** Wires a server for `bucket serve`: the rules over a folder, or over S3 and DynamoDB, behind the Node server. */

import type { RunningServer } from '../lib/cli/context.ts'
import type { LocalStores, ServeSettings } from '../lib/cli/serve-settings.ts'
import { endpointsIn } from '../lib/deployment/environment.ts'
import { PRESIGNED_SECONDS } from '../lib/domain/limits.ts'
import { createFullApi, type FullStores } from '../lib/http/full-api.ts'
import { type ServerOptions, startServer } from '../lib/http/node/server.ts'
import { withLogging } from '../lib/http/node/with-logging.ts'
import { jsonLines } from '../lib/http/operation-log.ts'

const log = jsonLines(process.stderr)

type Environment = Readonly<Record<string, string | undefined>>

/** What stands behind the rules. */
type Ports = Omit<FullStores, 'clock' | 'maxArtifactBytes' | 'maxInlineBytes' | 'presignedSeconds'>

export interface Stores {
  readonly ports: Ports
  readonly extraRoutes?: NonNullable<ServerOptions['extraRoutes']>
  close(): Promise<void>
}

/** @throws the stores' own refusals; the system's error when it cannot listen. */
export async function startFront(settings: ServeSettings, environment: Environment): Promise<RunningServer> {
  const { host, port, maxArtifactBytes, publicUrl } = settings
  const stores = await openStores(settings, environment)
  const { ports, extraRoutes } = stores
  const settled = {
    clock: Date.now,
    maxArtifactBytes,
    maxInlineBytes: maxArtifactBytes,
    presignedSeconds: PRESIGNED_SECONDS,
  }
  try {
    const server = await startServer({
      api: createFullApi({ stores: { ...ports, ...settled }, log }),
      host,
      port,
      ...(publicUrl && { publicUrl }),
      ...(extraRoutes && { extraRoutes }),
    })
    return {
      url: server.url,
      async stop() {
        await server.stop()
        await stores.close()
      },
    }
  } catch (error) {
    await stores.close()
    throw error
  }
}

async function openStores(settings: ServeSettings, environment: Environment): Promise<Stores> {
  if (settings.store === 'local') return await openLocal(settings)
  const { openAws } = await import('./aws-stores.ts')
  return openAws(settings, settings.maxArtifactBytes, endpointsIn(environment).s3, log)
}

async function openLocal({ dataDir }: LocalStores): Promise<Stores> {
  const { openFolder } = await import('../lib/local/folder.ts')
  const { blobs, ledger, uploads, staging, queue, ...folder } = await openFolder(dataDir, { log })
  return {
    ports: { blobs, bytes: blobs, ledger, uploads, staging, queue, health: [ledger, blobs] },
    extraRoutes: withLogging(folder.blobEndpoint, log),
    close: folder.close,
  }
}
