/** Wires an MCP server for `bucket mcp`: tools over the client, on stdin and stdout or over HTTP with the Host checks of `serve`. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { homedir } from 'node:os'
import type { McpSettings } from '../lib/cli/context.ts'
import type { BucketClient } from '../lib/client/node.ts'
import { BucketError } from '../lib/domain/errors.ts'
import { allowedHosts, checkHost } from '../lib/http/node/host-check.ts'
import { hostsOf } from '../lib/http/node/incoming.ts'
import { jsonLines } from '../lib/http/operation-log.ts'
import { defaultRoots, Roots } from '../lib/mcp/roots.ts'
import type { ServerContent } from '../lib/mcp/server.ts'
import { readDocument } from './documents.ts'

/** stdout belongs to the protocol. */
const writeLine = jsonLines(process.stderr)
// The command line ends the process when the session is over.
process.once('exit', writeLine.flush)
const log = (record: object) => writeLine({ time: new Date().toISOString(), ...record })

export async function runMcp(
  bucket: BucketClient,
  { roots, readOnly, http, onReady, signal }: McpSettings,
  version: string,
): Promise<void> {
  const folders = await Roots.open(roots ?? defaultRoots(process.cwd(), homedir()))
  const content: ServerContent = {
    bucket,
    roots: folders,
    readOnly,
    log,
    running: new Set(),
    guide: await readDocument('docs/for-assistants.md'),
    version,
  }
  const note = folders.folders.length === 0 ? 'tools may use no files: name a folder with --root' : undefined
  log({ operation: 'start', version, url: bucket.url, roots: folders.folders, readOnly, note })
  if (!http) {
    const { serveOnStdio } = await import('../lib/mcp/serve-stdio.ts')
    return await serveOnStdio(content, { stdin: process.stdin, stdout: process.stdout, signal })
  }
  const { serveOnHttp } = await import('../lib/mcp/serve-http.ts')
  const server = await serveOnHttp(content, { ...http, hostCheck: (port) => hostCheck(http.host, port) })
  await onReady(server.url)
  if (!signal.aborted) await once(signal, 'abort')
  await server.stop()
}

/** The check of `bucket serve`. */
function hostCheck(host: string, port: number) {
  const allowed = allowedHosts({ host, port }, undefined)
  return (incoming: IncomingMessage): string | undefined => {
    try {
      checkHost(allowed, hostsOf(incoming), incoming.headers, false)
      return undefined
    } catch (error) {
      if (error instanceof BucketError) return error.message
      throw error
    }
  }
}
