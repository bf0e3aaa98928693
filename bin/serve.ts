/** Wires a server for `bucket serve`: the rules over a folder, or over S3 and DynamoDB, behind the Node server. */
import { UsageError } from '#cli/failure'
import type { ServeSettings } from '#cli/serve-settings'
import type { RunningServer } from '#cli/surroundings'
import { createApi } from '#http/api'
import type { Delivery } from '#http/fetch'
import { loggedBeside } from '#http/node/logged-beside'
import { type ServerOptions, startServer } from '#http/node/server'
import { jsonLines } from '#http/operation-log'
import { CLI_ENVIRONMENT } from '#protocol/environment'
import { PRESIGNED_SECONDS } from '#protocol/limits'
import { createRepository, type RepositoryDependencies } from '#repository/repository'

const log = jsonLines(process.stderr)

type Environment = Readonly<Record<string, string | undefined>>

/** What stands behind the rules. */
type Ports = Omit<
  RepositoryDependencies,
  'clock' | 'maxArtifactBytes' | 'maxInlineBytes' | 'presignedSeconds'
>

interface Stores {
  readonly ports: Ports
  readonly delivery: Delivery
  readonly beside?: NonNullable<ServerOptions['beside']>
  close(): Promise<void>
}

/** @throws UsageError when a setting is missing; the stores' own refusals; the system's error when it cannot listen. */
export async function startFront(settings: ServeSettings, environment: Environment): Promise<RunningServer> {
  const { host, port, maxArtifactBytes, publicUrl } = settings
  const stores = settings.store === 'local' ? await openLocal(settings) : await openAws(settings, environment)
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

async function openLocal({ dataDir }: ServeSettings): Promise<Stores> {
  const { openFolder } = await import('#local/folder')
  const { blobs, ledger, uploads, staging, queue, ...folder } = await openFolder(dataDir, { log })
  return {
    ports: { blobs, ledger, uploads, staging, queue },
    delivery: 'direct',
    beside: loggedBeside(folder.blobEndpoint, log),
    close: folder.close,
  }
}

async function openAws({ maxArtifactBytes }: ServeSettings, environment: Environment): Promise<Stores> {
  const required = (name: string) => {
    const value = environment[name]
    if (value) return value
    throw new UsageError(`--store aws needs ${name}`, `Set ${name}: the deployed stack's outputs name it.`)
  }
  const bucket = required(CLI_ENVIRONMENT.blobBucket)
  const table = required(CLI_ENVIRONMENT.ledgerTable)
  const [clients, { createS3BlobStore }, { createDynamoDbLedger }] = await Promise.all([
    import('#aws/clients'),
    import('#aws/s3-blob-store'),
    import('#aws/dynamodb-ledger'),
  ])
  const endpoint = environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL || undefined
  const s3 = clients.createS3Client({ endpoint }, clients.SERVER_BLOB_LIMITS)
  const dynamoDb = clients.createDynamoDbClient({})
  return {
    ports: {
      blobs: createS3BlobStore({ client: s3, bucket, maxBytes: maxArtifactBytes, endpoint }),
      ledger: createDynamoDbLedger({ client: dynamoDb, table }),
    },
    delivery: 'redirect',
    async close() {
      s3.destroy()
      dynamoDb.destroy()
    },
  }
}
