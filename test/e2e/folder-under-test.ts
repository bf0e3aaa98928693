/** The data folder of one test, a real server on it, and the commands of its owner. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BUCKET } from '../support/program.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'

/** A blob of its own file. */
export const LARGE = Buffer.alloc(100_000, 'large')

export const digestOf = (bytes: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** The names in a folder that may not exist. */
export const namesIn = (path: string): readonly string[] => (existsSync(path) ? readdirSync(path).sort() : [])

export class FolderUnderTest {
  readonly #parent = mkdtempSync(join(tmpdir(), 'bucket-folder-'))
  readonly dataDir = join(this.#parent, 'data')
  #server: Served | undefined

  /** A path in the data folder. */
  path(...names: readonly string[]): string {
    return join(this.dataDir, ...names)
  }

  /** A path for a file of the test itself. */
  outside(name: string): string {
    return join(this.#parent, name)
  }

  async start(): Promise<void> {
    this.#server = await serveFolder(this.dataDir)
  }

  /** The server that was started last. */
  get server(): Served {
    if (!this.#server) throw new Error('no server was started')
    return this.#server
  }

  /** @returns the exit code of the server. */
  stop(): Promise<number | null> {
    return this.server.stop()
  }

  /** Ends the server, if one runs. */
  async kill(): Promise<void> {
    await this.#server?.kill()
  }

  urlOf(version: string): string {
    return `${this.server.url}/buckets/b/artifacts/a/versions/${version}`
  }

  async store(version: string, bytes: string | Uint8Array) {
    const headers = { 'X-Artifact-Digest': digestOf(bytes) }
    const response = await fetch(this.urlOf(version), { method: 'PUT', body: Buffer.from(bytes), headers })
    const retryAfter = response.headers.get('Retry-After')
    return { status: response.status, retryAfter, body: await response.text() }
  }

  get(version: string): Promise<Response> {
    return fetch(this.urlOf(version))
  }

  /** The response of the health check. */
  health(): Promise<Response> {
    return fetch(`${this.server.url}/health`)
  }

  /** Runs a command on the folder. The limit ends a server that should have refused to start. */
  run(command: string, ...args: readonly string[]) {
    return this.bucket(command, ...args, '--data-dir', this.dataDir)
  }

  /** Tries to start a server that refuses the folder. */
  serve() {
    return this.run('serve', '--port', '0')
  }

  fsck() {
    return this.run('fsck')
  }

  bucket(...args: readonly string[]) {
    const options = { encoding: 'utf8', timeout: 100_000 } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [...BUCKET, ...args], options)
    return { exit: status, stdout, stderr }
  }

  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.#parent, { recursive: true, force: true })
  }
}
