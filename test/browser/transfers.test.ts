/** Stores and downloads in a real browser: large ones, interrupted ones, damaged ones, and conflicts. */
import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { beforeAll, expect, it } from 'vitest'
import { serveFolder } from '../support/served-folder.ts'
import {
  chooseFile,
  closePage,
  describeInBrowser,
  type OpenPage,
  openPage,
  press,
  type,
  waitForText,
} from './chromium.ts'
import { digestOf, servePage } from './served-page.ts'

const MIB = 1024 * 1024
const LARGE = 128 * MIB

describeInBrowser('transfers', () => {
  const served = servePage()
  let large: string
  let largeDigest: string
  beforeAll(() => {
    large = served().file('large.bin', LARGE)
    largeDigest = digestOf(readFileSync(large))
  })

  const storePage = () => openPage(served().browser, `${served().url}#/store`)
  const name = async (page: Page, artifactId: string, version: string) => {
    await type(page, 'bucket_id', 'demo')
    await type(page, 'artifact_id', artifactId)
    await type(page, 'version', version)
  }
  const finish = async (opened: OpenPage) => {
    expect(opened.complaints).toEqual([])
    await closePage(opened)
  }

  it('128 MiB are hashed, canceled midway, continued after the page was closed, and fetched as the same bytes', async () => {
    const first = await storePage()
    await chooseFile(first.page, large)
    const shown = await first.page.waitForSelector('.file .digest')
    expect(await shown?.evaluate((element) => element.textContent)).toBe(largeDigest)
    await name(first.page, 'large', 'v1')
    const canceled = cancelOnceSent(first.page)
    await press(first.page, 'Store')
    await canceled
    await waitForText(first.page, 'The server keeps')
    expect(await focused(first.page)).toBe('Stopped')
    await finish(first)

    const second = await storePage()
    await chooseFile(second.page, large)
    await second.page.waitForSelector('.file .digest')
    await name(second.page, 'large', 'v1')
    const continued = second.page.waitForFunction(
      () => document.body.innerText.includes('had arrived before'),
      { polling: 'mutation' },
    )
    await press(second.page, 'Store')
    await continued
    await waitForText(second.page, 'Stored and verified')
    expect(await served().client.entry('demo/large/v1')).toMatchObject({ digest: largeDigest, size: LARGE })
    await finish(second)

    const third = await openPage(served().browser, `${served().url}#demo/large/v1`, {
      saveTo: 'private file',
    })
    await press(third.page, 'Download and verify')
    await waitForText(third.page, 'Verified: all 128.0 MiB')
    expect(await privateFile(third.page, 'large-v1')).toEqual({ size: LARGE, digest: largeDigest })
    await finish(third)
  })

  it('Discard drops what was sent, and storing again begins at zero', async () => {
    const opened = await storePage()
    const { page } = opened
    await chooseFile(page, large)
    await page.waitForSelector('.file .digest')
    await name(page, 'discarded', 'v1')
    const canceled = cancelOnceSent(page)
    await press(page, 'Store')
    await canceled
    await press(page, 'Discard what was sent')
    await page.waitForSelector('.outcome', { hidden: true })
    await expect(served().client.upload('demo/discarded/v1', largeDigest)).rejects.toMatchObject({
      code: 'upload_not_found',
    })
    await finish(opened)
  })

  it('the same bytes again are a success; other bytes are refused with both digests', async () => {
    const { client, file } = served()
    const [mine, other] = [file('mine.bin', 3 * MIB), file('other.bin', 3 * MIB)]
    await client.put('demo/conflict/v1', mine, { uploadedBy: 'trainer' })
    const opened = await storePage()
    const { page } = opened
    await chooseFile(page, mine)
    await page.waitForSelector('.file .digest')
    await name(page, 'conflict', 'v1')
    await press(page, 'Store')
    await waitForText(page, 'Stored already, with the same bytes')

    await chooseFile(page, other)
    await page.waitForFunction(
      (text: string) => document.querySelector('.file')?.textContent?.includes(text),
      {},
      'other.bin',
    )
    await page.waitForSelector('.file .digest')
    await type(page, 'version', 'v1')
    await press(page, 'Store')
    const shown = await waitForText(page, 'This version is stored already, with other bytes')
    expect(await focused(page)).toBe('This version is stored already, with other bytes')
    expect(shown).toContain('by trainer')
    expect(shown).toContain('Choose a new version')
    const digests = await page.$$eval('.compare .digest', (found) =>
      found.map(({ textContent }) => textContent),
    )
    expect(digests).toEqual([digestOf(readFileSync(mine)), digestOf(readFileSync(other))])
    await finish(opened)
  })

  it('an empty file is stored and fetched', async () => {
    const opened = await storePage()
    await chooseFile(opened.page, served().file('empty.bin', 0))
    await opened.page.waitForSelector('.file .digest')
    await name(opened.page, 'empty', 'v1')
    await press(opened.page, 'Store')
    await waitForText(opened.page, 'Stored and verified')
    expect(await served().client.entry('demo/empty/v1')).toMatchObject({ size: 0 })
    await finish(opened)
  })

  it('a file that is dropped on the page shows its digest, and two at once are refused', async () => {
    const opened = await storePage()
    const drop = (count: number) =>
      opened.page.$eval(
        '.drop',
        (target, files) => {
          const data = new DataTransfer()
          for (let at = 0; at < files; at++) data.items.add(new File(['dropped'], `dropped-${at}.txt`))
          target.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
        },
        count,
      )
    await drop(2)
    await waitForText(opened.page, 'Only one file at a time')
    await drop(1)
    const shown = await opened.page.waitForSelector('.file .digest')
    expect(await shown?.evaluate(({ textContent }) => textContent)).toBe(digestOf(Buffer.from('dropped')))
    await finish(opened)
  })

  it('a server that stopped is reported as such, and trying again stores the file', async () => {
    const { browser, file, folder } = served()
    const dataDir = join(folder, 'gone')
    const first = await serveFolder(dataDir)
    const opened = await openPage(browser, `${new URL('/', first.url).href}#/store`)
    const { page } = opened
    await chooseFile(page, file('late.bin', 1000))
    await page.waitForSelector('.file .digest')
    await name(page, 'late', 'v1')
    await first.kill()
    await press(page, 'Store')
    await waitForText(page, 'No usable answer from the API')
    const again = await serveFolder(dataDir, '--port', new URL(first.url).port)
    await press(page, 'Try again')
    await waitForText(page, 'Stored and verified')
    await closePage(opened)
    await again.stop()
  })

  it('one flipped byte on the disk of the server: the browser keeps nothing', async () => {
    const { client, file, browser, url, dataDir, folder } = served()
    await client.put('demo/damaged/v1', file('damaged.bin', 5 * MIB))
    flipByte(largestFile(join(dataDir), 5 * MIB), 2 * MIB)

    const disk = await openPage(browser, `${url}#demo/damaged/v1`, { saveTo: 'private file' })
    await press(disk.page, 'Download and verify')
    const shown = await waitForText(disk.page, 'The bytes do not have the digest')
    expect(shown).toContain('Do not use these bytes')
    expect(await privateFile(disk.page, 'damaged-v1')).toBeUndefined()
    await finish(disk)

    const downloads = join(folder, 'downloads')
    const memory = await openPage(browser, `${url}#demo/damaged/v1`, { saveTo: 'no dialog' })
    await allowDownloads(memory.page, downloads)
    await press(memory.page, 'Download and verify')
    await waitForText(memory.page, 'The bytes do not have the digest')
    expect(namesIn(downloads)).toEqual([])
    await finish(memory)
  })

  it('a browser without a dialog for files keeps the bytes until they are verified, and then saves them', async () => {
    const { client, file, browser, url, folder } = served()
    const source = file('small.bin', 9 * MIB)
    await client.put('demo/small/v1', source, { contentType: 'text/html' })
    const opened = await openPage(browser, `${url}#demo/small/v1`, { saveTo: 'no dialog' })
    const downloads = join(folder, 'saved')
    await allowDownloads(opened.page, downloads)
    await press(opened.page, 'Download and verify')
    await waitForText(opened.page, 'Verified: all 9.0 MiB')
    await expect.poll(() => namesIn(downloads), { timeout: 30_000 }).toEqual(['small-v1'])
    expect(digestOf(readFileSync(join(downloads, 'small-v1')))).toBe(digestOf(readFileSync(source)))
    await finish(opened)
  })

  it('a download that is canceled leaves no file', async () => {
    const { browser, url } = served()
    const opened = await openPage(browser, `${url}#demo/large/v1`, { saveTo: 'private file' })
    const { page } = opened
    const canceled = page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          new MutationObserver((_, observer) => {
            const button = [...document.querySelectorAll('button')].find(
              ({ textContent }) => textContent === 'Cancel',
            )
            if (!button || !/MiB of 128\.0 MiB/.test(document.querySelector('.rows')?.textContent ?? ''))
              return
            observer.disconnect()
            button.click()
            resolve()
          }).observe(document.body, { subtree: true, childList: true, characterData: true })
        }),
    )
    await press(page, 'Download and verify')
    await canceled
    await waitForText(page, 'Canceled. No file was written.')
    expect(await privateFile(page, 'large-v1')).toBeUndefined()
    await finish(opened)
  })
})

/** The text of the element that has the focus: a screen reader reads it. */
const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent)

/** Presses Cancel as soon as the server has acknowledged a part, in the browser itself, so that no transfer is too fast for it. */
const cancelOnceSent = (page: Page): Promise<void> =>
  page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        new MutationObserver((_, observer) => {
          const outcome = document.querySelector('.outcome')
          const sent = /([\d.]+) MiB of 128\.0 MiB/.exec(outcome?.textContent ?? '')?.[1]
          if (!outcome?.textContent?.includes('Sending') || sent === undefined || Number(sent) === 0) return
          observer.disconnect()
          outcome.querySelector('button')?.click()
          resolve()
        }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true })
      }),
  )

/** A file of the page's private file system; undefined if it is not there. */
const privateFile = (page: Page, fileName: string) =>
  page.evaluate(async (name) => {
    const root = await navigator.storage.getDirectory()
    const handle = await root.getFileHandle(name).catch(() => undefined)
    if (handle === undefined) return undefined
    const file = await handle.getFile()
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
    const hex = [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    return { size: file.size, digest: `sha256:${hex}` }
  }, fileName)

async function allowDownloads(page: Page, downloadPath: string): Promise<void> {
  const session = await page.createCDPSession()
  const { targetInfo } = await session.send('Target.getTargetInfo')
  await session.send('Browser.setDownloadBehavior', {
    behavior: 'allow',
    downloadPath,
    ...(targetInfo.browserContextId !== undefined && { browserContextId: targetInfo.browserContextId }),
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.endsWith('.crdownload'))
  } catch {
    return []
  }
}

/** The only file of this size below a folder. */
function largestFile(folder: string, size: number): string {
  const [found] = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).size === size)
  if (found === undefined) throw new Error(`no file of ${size} bytes in ${folder}`)
  return found
}

function flipByte(path: string, at: number): void {
  chmodSync(path, 0o644)
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at)
  closeSync(file)
}
