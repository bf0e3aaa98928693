/** versitygw: an S3 server in Go over a folder. It stands in for S3 in `npm run test:engines`, and is a peer in `npm run bench`. */
import { join } from 'node:path'
import { Missing } from './find-python.ts'
import { installed, keyOf } from './install-cache.ts'
import { ask, run } from './processes.ts'

const VERSITYGW = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'
const INSTALL_MS = 600_000

/** Fails unless `tool` can be run. */
export async function need(tool: string, ...version: string[]): Promise<void> {
  if ((await ask(tool, version, 30_000)) === undefined) throw new Missing(`${tool} is not on the PATH`)
}

/**
 * @param work a folder for the log of the installation.
 * @returns the program. The first call builds it, which takes a few minutes.
 */
export async function installVersityGateway(work: string): Promise<string> {
  const folder = await installed(`versitygw-${await keyOf([], VERSITYGW)}`, async (into) => {
    await need('go', 'version')
    console.log(`installing ${VERSITYGW} (a few minutes, once)`)
    await run('go', ['install', VERSITYGW], INSTALL_MS, {
      env: { ...process.env, GOBIN: into },
      output: { file: join(work, 'go.log') },
    })
  })
  return join(folder, 'versitygw')
}

/** The arguments of a gateway on loopback over `objects`, with the access key and the secret `test`. */
export const gatewayArguments = (port: number, objects: string): string[] => [
  ...['--access', 'test', '--secret', 'test', '--port', `127.0.0.1:${port}`, '--quiet'],
  ...['--keep-alive', 'posix', objects],
]
