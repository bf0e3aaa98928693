/** Wires a server for `bucket serve`: the rules over a folder, or over S3 and DynamoDB, with the Node server in front. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { RunningServer } from '../lib/cli/context.ts'
import type { LocalStores, ServeSettings } from '../lib/cli/serve-settings.ts'
import { PRESIGNED_SECONDS } from '../lib/domain/limits.ts'
import { createFullApi } from '../lib/http/full-api.ts'
import { createHotPath } from '../lib/http/node/hot-path.ts'
import { pageFiles } from '../lib/http/node/page-files.ts'
import { startServer } from '../lib/http/node/server.ts'
import { staticFiles } from '../lib/http/node/static-files.ts'
import { firstOf, withLogging } from '../lib/http/node/with-logging.ts'
import type { JsonLines } from '../lib/http/operation-log.ts'
import { readDocument } from './documents.ts'
import { connectionsWithin, openFileLimit } from './open-files.ts'
import { readPage } from './page.ts'
import type { Stores } from './stores.ts'

/**
 * @param version of the program, for the log.
 * @throws errors of the stores; the system's error if it cannot listen.
 */
export async function startFront(
  settings: ServeSettings,
  version: string,
  log: JsonLines,
): Promise<RunningServer> {
  const { host, port, maxArtifactBytes, publicUrl, drainLimit } = settings
  const guide = { text: await readDocument('docs/for-assistants.md'), type: 'text/plain; charset=utf-8' }
  // The browser exchanges bytes with S3 itself, whose addresses differ between regions and engines.
  const byteSources = settings.store === 'aws' ? ['https:', 'http:'] : []
  const files = new Map([...pageFiles(readPage(), byteSources), ['/llms.txt', guide]])
  const page = withLogging('page', staticFiles(files), log)
  await assertCanListen(host, port)
  const stores = await openStores(settings, version, log)
  const { ports, hot, extraRoutes: presigned } = stores
  const settled = {
    clock: Date.now,
    maxArtifactBytes,
    maxInlineBytes: maxArtifactBytes,
    presignedSeconds: PRESIGNED_SECONDS,
  }
  const full = { ...ports, ...settled }
  try {
    const server = await startServer({
      api: createFullApi({ stores: full, log }),
      ...(hot && { hotPath: createHotPath({ stores: { ...settled, ...hot }, log }) }),
      host,
      port,
      bodyPace: { bytesPerSecond: settings.minBodyRate, graceMs: settings.bodyGrace },
      maxConnections: connectionLimit(settings.maxConnections, log),
      allowedHosts: settings.allowedHosts,
      ...(publicUrl && { publicUrl }),
      extraRoutes: firstOf(page, ...(presigned ? [presigned] : [])),
    })
    return {
      url: server.url,
      async stop() {
        await server.stop(drainLimit)
        await stores.close()
      },
    }
  } catch (error) {
    await stores.close()
    throw error
  }
}

/** Fewer than `wanted` if the system allows too few open files. The log says so. */
function connectionLimit(wanted: number, log: JsonLines): number {
  const limit = openFileLimit()
  const connections = limit === undefined ? wanted : connectionsWithin(limit, wanted)
  if (connections < wanted)
    log({
      time: new Date().toISOString(),
      operation: 'open_files',
      message: `this process may open ${limit} files, so the server accepts ${connections} connections instead of ${wanted}: allow twice as many files as connections (\`ulimit -n\`, systemd: LimitNOFILE), or set --max-connections`,
    })
  return connections
}

/** Before the folder is opened, so that a port in use leaves no new folder behind. */
async function assertCanListen(host: string, port: number): Promise<void> {
  const probe = createServer().listen(port, host)
  await once(probe, 'listening')
  probe.close()
  await once(probe, 'close')
}

async function openStores(settings: ServeSettings, version: string, log: JsonLines): Promise<Stores> {
  if (settings.store === 'local') return await openLocal(settings, version, log)
  const { openAws } = await import('./aws-stores.ts')
  return await openAws(settings, settings.maxArtifactBytes, log)
}

async function openLocal({ dataDir }: LocalStores, version: string, log: JsonLines): Promise<Stores> {
  const { openFolder } = await import('../lib/local/folder.ts')
  const { blobs, ledger, uploads, staging, queue, ...folder } = await openFolder(dataDir, {
    // One line tells an operator what runs on what.
    log: (record) => log(record.operation === 'open_folder' ? { ...record, version } : record),
  })
  return {
    ports: {
      ...{ blobs, bytes: blobs, ledger, uploads, staging, queue },
      health: { ledger, 'uploads table': uploads, 'blob store': blobs, 'staging area': staging },
    },
    hot: { ledger, bytes: blobs },
    extraRoutes: withLogging('blob', folder.blobEndpoint, log),
    close: folder.close,
  }
}
