/**
 * `bucket serve` in the process of the test: all of it but its process, which takes longer to start than most tests to run. A server that
 * is killed, or whose exit matters, is a process of its own (`served-folder.ts`).
 */
import { Writable } from 'node:stream'
import { startFront } from '../../bin/serve.ts'
import type { RunningServer } from '../../lib/cli/context.ts'
import { Interrupted } from '../../lib/cli/failure.ts'
import type { ServeSettings } from '../../lib/cli/serve-settings.ts'
import { jsonLines } from '../../lib/http/operation-log.ts'
import { bucket } from '../unit/cli/command-line.ts'
import type { Served } from './served-folder.ts'

export type ServedHere = Pick<Served, 'url' | 'log' | 'stop'>

/** Runs the command line of a server. It ends when the server has stopped, or could not start. */
function run(args: readonly string[], signal: AbortSignal, onStart: (server: RunningServer) => void) {
  let lines = ''
  const log = jsonLines(
    new Writable({
      write(chunk, _, done) {
        lines += chunk
        done()
      },
    }),
  )
  const startServer = async (settings: ServeSettings) => {
    const server = await startFront(settings, '1.2.3', log)
    onStart(server)
    return server
  }
  const ended = bucket(args, { signal, startServer }).then((ran) => {
    log.flush()
    lines += ran.stderr
    return { ...ran, stderr: lines }
  })
  return { ended, log: () => lines }
}

/** Serves a data folder on a free port. @throws Error with the output of a server that does not start. */
export async function serveHere(dataDir: string, ...options: readonly string[]): Promise<ServedHere> {
  const stopping = new AbortController()
  let onStart = (_: RunningServer) => {}
  const starts = new Promise<RunningServer>((resolve) => {
    onStart = resolve
  })
  const args = ['serve', '--port', '0', '--data-dir', dataDir, ...options]
  const { ended, log } = run(args, stopping.signal, (server) => onStart(server))
  const refused = ended.then(({ stderr }) => Promise.reject(new Error(`the server did not start: ${stderr}`)))
  const { url } = await Promise.race([starts, refused])
  return {
    url,
    log,
    async stop() {
      stopping.abort(new Interrupted('SIGTERM'))
      return (await ended).exit
    },
  }
}

/** Tries to serve a data folder that should be refused; one that is not is served no longer than it takes to start. */
export function tryToServe(dataDir: string) {
  const stopping = new AbortController()
  const args = ['serve', '--port', '0', '--data-dir', dataDir]
  return run(args, stopping.signal, () => stopping.abort(new Interrupted('SIGTERM'))).ended
}
