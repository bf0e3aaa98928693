/** Wires a server for `bucket serve`: the rules over a folder, or over S3 and DynamoDB, behind the Node server. */

import type { RunningServer } from '../lib/cli/context.ts'
import type { LocalStores, ServeSettings } from '../lib/cli/serve-settings.ts'
import { endpointsIn } from '../lib/deployment/environment.ts'
import { PRESIGNED_SECONDS } from '../lib/domain/limits.ts'
import { createApi } from '../lib/http/api.ts'
import type { Delivery } from '../lib/http/fetch.ts'
import { loggedBeside } from '../lib/http/node/logged-beside.ts'
import { type ServerOptions, startServer } from '../lib/http/node/server.ts'
import { jsonLines } from '../lib/http/operation-log.ts'
import { createRepository, type RepositoryDependencies } from '../lib/repository/repository.ts'

const log = jsonLines(process.stderr)

type Environment = Readonly<Record<string, string | undefined>>

/** What stands behind the rules. */
type Ports = Omit<
  RepositoryDependencies,
  'clock' | 'maxArtifactBytes' | 'maxInlineBytes' | 'presignedSeconds'
>

export interface Stores {
  readonly ports: Ports
  readonly delivery: Delivery
  readonly beside?: NonNullable<ServerOptions['beside']>
  close(): Promise<void>
}

/** @throws the stores' own refusals; the system's error when it cannot listen. */
export async function startFront(settings: ServeSettings, environment: Environment): Promise<RunningServer> {
  const { host, port, maxArtifactBytes, publicUrl } = settings
  const stores = await openStores(settings, environment)
  const { ports, delivery, beside } = stores
  const repository = createRepository({
    ...ports,
    clock: Date.now,
    maxArtifactBytes,
    maxInlineBytes: maxArtifactBytes,
    presignedSeconds: PRESIGNED_SECONDS,
  })
  try {
    const server = await startServer({
      api: createApi({ repository, delivery, log }),
      host,
      port,
      ...(publicUrl && { publicUrl }),
      ...(beside && { beside }),
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
    ports: { blobs, ledger, uploads, staging, queue },
    delivery: 'direct',
    beside: loggedBeside(folder.blobEndpoint, log),
    close: folder.close,
  }
}
