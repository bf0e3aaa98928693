/** The data folder of one test, a server on it, and the commands of its owner. */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Served, serveFolder, serveWithin } from '../support/served-folder.ts'
import { type ServedHere, serveHere, tryToServe } from '../support/served-here.ts'
import { bucket } from '../unit/cli/command-line.ts'

/** A blob of its own file. */
export const LARGE = Buffer.alloc(100_000, 'large')

export const digestOf = (bytes: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** The names in a folder that may not exist. */
export const namesIn = (path: string): readonly string[] => (existsSync(path) ? readdirSync(path).sort() : [])

export class FolderUnderTest {
  readonly #parent = mkdtempSync(join(tmpdir(), 'bucket-folder-'))
  readonly dataDir = join(this.#parent, 'data')
  #server: ServedHere | undefined
  #process: Served | undefined

  /** A path in the data folder. */
  path(...names: readonly string[]): string {
    return join(this.dataDir, ...names)
  }

  /** A path for a file of the test itself. */
  outside(name: string): string {
    return join(this.#parent, name)
  }

  async start(): Promise<void> {
    this.#server = await serveHere(this.dataDir)
  }

  /** Starts a server that can be killed. */
  async startProcess(): Promise<void> {
    this.#process = await serveFolder(this.dataDir)
    this.#server = this.#process
  }

  /** Starts a server within a limit of the system, such as `-f 100`. */
  async startWithin(limit: string): Promise<void> {
    this.#process = await serveWithin(limit, this.dataDir)
    this.#server = this.#process
  }

  /** The server that was started last. */
  get server(): ServedHere {
    if (!this.#server) throw new Error('no server was started')
    return this.#server
  }

  /** @returns the exit code of the server. */
  stop(): Promise<number | null> {
    return this.server.stop()
  }

  async kill(): Promise<void> {
    if (!this.#process) throw new Error('a server in the process of the test cannot be killed')
    await this.#process.kill()
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

  /** Begins an upload. */
  begin(version: string, mode: string): Promise<Response> {
    return fetch(`${this.urlOf(version)}/uploads/${digestOf(LARGE)}`, {
      ...{ method: 'PUT', headers: { 'Content-Type': 'application/json' } },
      body: JSON.stringify({ size: 100_000_000, mode }),
    })
  }

  get(version: string): Promise<Response> {
    return fetch(this.urlOf(version))
  }

  /** The response of the health check. */
  health(): Promise<Response> {
    return fetch(`${this.server.url}/health`)
  }

  /** Runs a command on the folder. */
  run(command: string, ...args: readonly string[]) {
    return bucket([command, ...args, '--data-dir', this.dataDir])
  }

  /** Tries to start a server that refuses the folder. */
  serve() {
    return tryToServe(this.dataDir)
  }

  fsck() {
    return this.run('fsck')
  }

  /** Runs a command on the server. */
  ask(...args: readonly string[]) {
    return bucket(args, { url: this.server.url })
  }

  async remove(): Promise<void> {
    await this.#process?.kill()
    await this.#server?.stop()
    rmSync(this.#parent, { recursive: true, force: true })
  }
}
