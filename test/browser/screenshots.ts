/** `npm run screenshots`: makes the pictures in docs/screenshots from the page as it is now. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'puppeteer-core'
import { BucketClient } from '../../lib/client/node.ts'
import { serveFolder } from '../support/served-folder.ts'
import { setup } from './build.ts'
import {
  chooseFile,
  chromiumPath,
  closePage,
  type OpenOptions,
  openPage,
  press,
  startChromium,
  waitForText,
} from './chromium.ts'

const OUT = 'docs/screenshots'
const MIB = 1024 * 1024
const PHONE = 390

/** The same bytes each time, so that only times differ between two runs. */
const bytesOf = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => (at * 31) % 251)

interface Picture extends OpenOptions {
  readonly name: string
  readonly address: string
  /** Reaches the state to show. */
  readonly reach: (page: Page) => Promise<unknown>
}

const pictures = (folder: string): Picture[] => [
  {
    name: 'entry',
    address: '#prod-models/llama-3-8b/v3.1.0',
    reach: (page) => waitForText(page, 'Fetch it elsewhere'),
  },
  {
    name: 'versions',
    address: '#prod-models/llama-3-8b',
    reach: (page) => waitForText(page, 'All 3 versions'),
  },
  {
    name: 'store',
    address: '#/store',
    reach: async (page) => {
      await describe(page, join(folder, 'checkpoint.safetensors'), ['prod-models', 'llama-3-8b', 'step-2000'])
      await press(page, 'Store')
      await page.waitForFunction(
        () => /[1-9]\d\.\d MiB of 160/.test(document.querySelector('.outcome')?.textContent ?? ''),
        {
          polling: 'mutation',
        },
      )
    },
  },
  {
    name: 'conflict',
    address: '#/store',
    theme: 'dark',
    reach: async (page) => {
      await describe(page, join(folder, 'other.bin'), ['prod-models', 'llama-3-8b', 'v3.1.0'])
      await press(page, 'Store')
      await waitForText(page, 'with other bytes')
    },
  },
  {
    name: 'phone',
    address: '#prod-models/llama-3-8b/v3.1.0',
    theme: 'dark',
    width: PHONE,
    reach: (page) => waitForText(page, 'Fetch it elsewhere'),
  },
  { name: 'api', address: 'docs', reach: (page) => waitForText(page, 'Messages') },
]

async function describe(
  page: Page,
  file: string,
  [bucketId = '', artifactId = '', version = '']: string[],
): Promise<void> {
  await chooseFile(page, file)
  await page.waitForSelector('.file .digest')
  for (const [name, text] of Object.entries({ bucketId, artifactId, version }))
    await page.locator(`[name=${name}]`).fill(text)
}

async function take(
  browser: Browser,
  root: string,
  { name, address, reach, ...options }: Picture,
): Promise<void> {
  const opened = await openPage(browser, root + address, options)
  const { page } = opened
  await reach(page)
  const { width = 1100 } = options
  const height = await page.evaluate(() => Math.ceil(document.body.getBoundingClientRect().height))
  const clip = { x: 0, y: 0, width, height: Math.min(height, width === PHONE ? 844 : 980) }
  await page.screenshot({ path: join(OUT, `${name}.png`) as `${string}.png`, clip })
  await closePage(opened)
}

if (chromiumPath === undefined) throw new Error('no chromium, chromium-browser or google-chrome in PATH')
await setup()
mkdirSync(OUT, { recursive: true })
const folder = mkdtempSync(join(tmpdir(), 'bucket-screenshots-'))
const served = await serveFolder(join(folder, 'data'), '--port', '9470')
const browser = await startChromium()
try {
  const client = new BucketClient({ url: served.url })
  const described = { uploadedBy: 'training-cluster-5', provenanceSource: 'git:4f1c2d9 run-47' }
  for (const [version, size] of [
    ['step-1000', 24],
    ['v3.1.0', 24],
    ['v3.2.0', 25],
  ] as const)
    await client.put(`prod-models/llama-3-8b/${version}`, bytesOf(size * MIB), described)
  writeFileSync(join(folder, 'other.bin'), bytesOf(3 * MIB))
  writeFileSync(join(folder, 'checkpoint.safetensors'), bytesOf(160 * MIB))
  for (const picture of pictures(folder)) await take(browser, new URL('/', served.url).href, picture)
} finally {
  await browser.close()
  await served.stop()
  rmSync(folder, { recursive: true })
}
