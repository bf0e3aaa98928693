/** A server with an empty folder, a browser, and files to store, for the tests of one file. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'puppeteer-core'
import { afterAll, beforeAll } from 'vitest'
import { BucketClient } from '../../lib/client/node.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'
import { startChromium } from './chromium.ts'

export interface ServedPage {
  /** `http://127.0.0.1:PORT/`. */
  readonly url: string
  readonly api: string
  readonly browser: Browser
  readonly client: BucketClient
  readonly dataDir: string
  readonly folder: string
  readonly log: () => string
  /** Writes a file of random bytes. @returns its path. */
  file(name: string, size: number): string
}

/** @returns what the hooks of the surrounding `describe` make and remove. */
export function servePage(): () => ServedPage {
  let served: Served
  let browser: Browser
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bucket-browser-'))
    served = await serveFolder(join(folder, 'data'))
    browser = await startChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await served?.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  return () => ({
    url: new URL('/', served.url).href,
    api: served.url,
    browser,
    client: new BucketClient({ url: served.url }),
    dataDir: join(folder, 'data'),
    folder,
    log: served.log,
    file(name, size) {
      const path = join(folder, name)
      writeFileSync(path, randomBytes(size))
      return path
    },
  })
}

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`
