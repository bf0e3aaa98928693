/** A headless Chromium, and pages of it that note every complaint of the browser. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, launch, type Page } from 'puppeteer-core'
import { describe } from 'vitest'

/** The newest place is Debian's package; undefined where there is none. */
export const chromiumPath = ['chromium', 'chromium-browser', 'google-chrome'].map(findProgram).find(Boolean)

/** Skips, and so counts, the tests where there is no browser. */
export const describeInBrowser = describe.skipIf(chromiumPath === undefined)

export const startChromium = (): Promise<Browser> =>
  launch({
    executablePath: chromiumPath ?? '',
    // Chromium refuses its sandbox to root, as whom containers run. The pages are our own.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  })

export interface OpenOptions {
  readonly theme?: 'light' | 'dark'
  /** Pixels. */
  readonly width?: number
  /**
   * Where the browser's dialog for a file leads, which a headless browser cannot show: to a file of the page's private file system,
   * which is written like any other; or nowhere, as in browsers without the dialog.
   */
  readonly saveTo?: 'private file' | 'no dialog'
}

export interface OpenPage {
  readonly page: Page
  /** Errors of scripts, of the policy, and all others in the console; refusals that a test provokes are not among them. */
  readonly complaints: readonly string[]
}

/** The browser itself writes a line for each refusal of the API. */
const PROVOKED = /^Failed to load resource: the server responded with a status of (400|404|409|412|421)/

export async function openPage(browser: Browser, url: string, options: OpenOptions = {}): Promise<OpenPage> {
  const { theme = 'light', width = 1100, saveTo } = options
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type()) && !PROVOKED.test(message.text()))
      complaints.push(`${message.type()}: ${message.text()}`)
  })
  await page.setViewport({ width, height: 900 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }])
  if (saveTo !== undefined) await page.evaluateOnNewDocument(replaceDialog, saveTo)
  page.setDefaultTimeout(60_000)
  await page.goto(url, { waitUntil: 'networkidle0' })
  return { page, complaints }
}

/** Runs in the browser. */
function replaceDialog(saveTo: 'private file' | 'no dialog'): void {
  const target = globalThis as { showSaveFilePicker?: unknown }
  if (saveTo === 'no dialog') delete target.showSaveFilePicker
  else
    target.showSaveFilePicker = async ({ suggestedName }: { suggestedName: string }) => {
      const root = await navigator.storage.getDirectory()
      return await root.getFileHandle(suggestedName, { create: true })
    }
}

export async function closePage({ page }: OpenPage): Promise<void> {
  await page.browserContext().close()
}

/** Waits until the page shows a text. @returns the text of the whole page. */
export async function waitForText(page: Page, text: string): Promise<string> {
  await page.waitForFunction(
    (wanted: string) => document.body.innerText.includes(wanted),
    { polling: 50 },
    text,
  )
  return await page.evaluate(() => document.body.innerText)
}

/** Presses the button with this accessible name. */
export const press = (page: Page, name: string): Promise<void> =>
  page.locator(`::-p-aria([name="${name}"][role="button"])`).click()

export const type = (page: Page, name: string, text: string): Promise<void> =>
  page.locator(`::-p-aria([name="${name}"][role="textbox"])`).fill(text)

export async function chooseFile(page: Page, path: string): Promise<void> {
  const input = await page.waitForSelector('input[type=file]')
  await input?.uploadFile(path)
}

function findProgram(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
