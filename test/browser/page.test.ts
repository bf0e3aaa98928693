/** Looking up, listing and copying, by pointer and by keyboard alone. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { beforeAll, expect, it } from 'vitest'
import { BUCKET } from '../support/program.ts'
import { chooseFile, closePage, describeInBrowser, type OpenPage, openPage, waitForText } from './chromium.ts'
import { digestOf, servePage } from './served-page.ts'

const COMMAND = ['node', ...BUCKET].join(' ')

describeInBrowser('the page', () => {
  const served = servePage()
  const open = (fragment = '') => openPage(served().browser, served().url + fragment)
  const finish = async (opened: OpenPage) => {
    expect(opened.complaints).toEqual([])
    await closePage(opened)
  }
  let path: string
  let digest: string
  beforeAll(async () => {
    path = served().file('model.bin', 100_000)
    digest = digestOf(readFileSync(path))
    await served().client.put('demo/model/v1', path, { uploadedBy: 'me', provenanceSource: 'run-47' })
  })

  it('opens a typed ref, and shows every fact of the entry', async () => {
    const opened = await open()
    const { page } = opened
    await page.type('#ref', 'demo/model/v1\n')
    const shown = await waitForText(page, 'Pinned ref')
    for (const fact of [
      `demo/model/v1@${digest}`,
      '100,000 bytes',
      'application/octet-stream',
      'me',
      'run-47',
    ])
      expect(shown).toContain(fact)
    expect(page.url()).toBe(`${served().url}#demo/model/v1`)
    expect(await page.title()).toBe('demo/model/v1 – Bucket')
    await finish(opened)
  })

  it('a pinned ref with another digest is refused, and shows no facts', async () => {
    const opened = await open(`#demo/model/v1@sha256:${'0'.repeat(64)}`)
    const shown = await waitForText(opened.page, 'The stored artifact has another digest')
    expect(shown).toContain('What to do next')
    expect(shown).not.toContain('Download and verify')
    await finish(opened)
  })

  it('an unknown version says so, and "latest" says why there is none', async () => {
    const opened = await open('#demo/model/latest')
    const shown = await waitForText(opened.page, 'This version is not stored')
    expect(shown).toContain('To Bucket “latest” is a name like any other')
    await finish(opened)
  })

  it("a text that isn't a ref is refused where it was typed, and can be corrected", async () => {
    const opened = await open()
    const { page } = opened
    await page.type('#ref', 'demo/-bad/v1\n')
    expect(await waitForText(page, 'Invalid input')).toContain('artifact_id begins with "-"')
    await page.$eval('#ref', (input) => (input as HTMLInputElement).select())
    await page.type('#ref', 'demo/model/v1\n')
    expect(await waitForText(page, 'Pinned ref')).not.toContain('Invalid input')
    await finish(opened)
  })

  it('a refused text replaces the entry that was open, and the field keeps the focus', async () => {
    const opened = await open('#demo/model/v1')
    const { page } = opened
    await waitForText(page, 'Pinned ref')
    await page.$eval('#ref', (input) => (input as HTMLInputElement).select())
    await page.type('#ref', 'demo/100%/v1 #2\n')
    expect(await waitForText(page, 'Invalid input')).not.toContain('Pinned ref')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('ref')
    expect(await page.$eval('#ref', (input) => (input as HTMLInputElement).value)).toBe('demo/100%/v1 #2')
    await page.goBack()
    expect(await waitForText(page, 'Pinned ref')).not.toContain('Invalid input')
    await page.$eval('#ref', (input) => (input as HTMLInputElement).select())
    await page.type('#ref', ' \n')
    await waitForText(page, 'the field is empty')
    await finish(opened)
  })

  it('says of a version "latest" that it would never move, before it is stored and after', async () => {
    await served().client.put('demo/moving/latest', new TextEncoder().encode('first'))
    const opened = await open('#/store')
    const { page } = opened
    await chooseFile(page, path)
    await page.waitForSelector('.file .digest')
    await page.type('[name=version]', 'v1')
    expect(await page.evaluate(() => document.body.innerText)).not.toContain('moving names')
    await page.$eval('[name=version]', (input) => (input as HTMLInputElement).select())
    await page.type('[name=version]', 'latest')
    await waitForText(page, 'Bucket has no moving names')
    await page.goto(`${served().url}#demo/moving/latest`)
    expect(await waitForText(page, 'Pinned ref')).toContain('means these bytes permanently')
    await finish(opened)
  })

  it('lists 230 versions in pages of 100, in the byte order of their names', async () => {
    const { client } = served()
    const names = Array.from({ length: 230 }, (_, at) => `v${String(at).padStart(3, '0')}`)
    await Promise.all(
      names.map((version) => client.put(`demo/many/${version}`, new TextEncoder().encode(version))),
    )
    const opened = await open('#demo/many')
    const { page } = opened
    const rows = () => page.$$eval('tbody th', (found) => found.map(({ textContent }) => textContent))
    await waitForText(page, 'The first 100 versions')
    for (const [count, text] of [
      [200, 'The first 200 versions'],
      [230, 'All 230 versions'],
    ] as const) {
      await page.locator('.table-end button').click()
      await waitForText(page, text)
      expect(await rows()).toEqual(names.slice(0, count))
    }
    expect(await page.$('.table-end button')).toBeNull()
    await finish(opened)
  })

  it('an artifact without versions is an empty list with an explanation', async () => {
    const opened = await open('#demo/nothing')
    await waitForText(opened.page, 'No version of this artifact is stored.')
    await finish(opened)
  })

  it('says why there is no search and no latest', async () => {
    const opened = await open()
    await opened.page.locator('summary').click()
    await waitForText(opened.page, 'Keep it in your own registry')
    await finish(opened)
  })

  it('its commands for the command line and curl fetch the same bytes', async () => {
    const opened = await open('#demo/model/v1')
    await waitForText(opened.page, 'Fetch it elsewhere')
    const [bucket = '', curl = ''] = await opened.page.$$eval('pre', (found) =>
      found.map(({ textContent }) => textContent ?? ''),
    )
    const run = (command: string, name: string) => {
      const cwd = join(served().folder, name)
      execFileSync('mkdir', [cwd])
      execFileSync('bash', ['-c', `set -e\n${command}`], { cwd, stdio: 'pipe' })
      expect(digestOf(readFileSync(join(cwd, 'model-v1'))), name).toBe(digest)
    }
    run(bucket.replace(/^bucket /, `${COMMAND} `), 'bucket')
    run(curl, 'curl')
    await finish(opened)
  })

  it('works by keyboard alone: look up, copy, choose a file, name it, store it', async () => {
    const opened = await open()
    const { page } = opened
    await page
      .browserContext()
      .overridePermissions(served().url, ['clipboard-read', 'clipboard-sanitized-write'])
    const { keyboard } = page
    await tabTo(page, 'ref')
    await keyboard.type('demo/model/v1')
    await keyboard.press('Enter')
    await waitForText(page, 'Pinned ref')
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1')
    await tabTo(page, 'Copy Pinned ref')
    await keyboard.press('Enter')
    await waitForText(page, 'Copied')
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`demo/model/v1@${digest}`)

    await tabTo(page, 'Store')
    await keyboard.press('Enter')
    await waitForText(page, 'Store a file')
    await tabTo(page, 'file')
    const choosing = page.waitForFileChooser()
    // Its answer follows that of the interception, which the page must know before the key arrives.
    await page.evaluate(() => undefined)
    await keyboard.press('Space')
    const chooser = await choosing
    await chooser.accept([served().file('typed.bin', 5000)])
    await page.waitForSelector('.file .digest')
    for (const [name, text] of [
      ['bucketId', 'demo'],
      ['artifactId', 'typed'],
      ['version', 'v1'],
    ] as const) {
      await tabTo(page, name)
      await keyboard.type(text)
    }
    await keyboard.press('Enter')
    await waitForText(page, 'Stored and verified')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Stored and verified')
    await tabTo(page, 'Open the entry')
    await keyboard.press('Enter')
    await waitForText(page, 'demo/typed/v1@sha256:')
    await finish(opened)
  })

  it('a form with errors focuses the first of them and names each', async () => {
    const opened = await open('#/store')
    const { page } = opened
    await chooseFile(page, path)
    await page.waitForSelector('.file .digest')
    await page.type('[name=bucketId]', 'demo')
    await page.keyboard.press('Enter')
    await waitForText(page, 'artifact_id is empty')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('artifactId')
    expect(await page.$$eval('[aria-invalid=true]', (found) => found.length)).toBe(2)
    await finish(opened)
  })

  it('names a version by its content, as the command line does', async () => {
    const opened = await open('#/store')
    const { page } = opened
    await chooseFile(page, path)
    await page.waitForSelector('.file .digest')
    await page.locator('::-p-aria([name="Name it by its content"])').click()
    expect(await page.$eval('[name=version]', (input) => (input as HTMLInputElement).value)).toBe(
      `sha256-${digest.slice('sha256:'.length).slice(0, 12)}`,
    )
    await finish(opened)
  })

  it('the API page lists every operation, and its links lead to problem pages', async () => {
    const opened = await openPage(served().browser, `${served().url}docs`)
    const { page } = opened
    const operations = Object.values(
      (await (await fetch(`${served().api}/openapi.json`)).json()).paths,
    ).flatMap((methods) =>
      Object.values(methods as object).map(({ operationId }: { operationId: string }) => operationId),
    )
    for (const operation of operations) expect(await page.$(`#${operation}`), operation).not.toBeNull()
    await Promise.all([
      page.waitForNavigation(),
      page.locator('#store a[href$="/problems/version_exists"]').click(),
    ])
    await waitForText(page, 'What to do next')
    await finish(opened)
  })
})

/** Presses Tab until the element with this id, name, type, label or text has the focus. */
async function tabTo(page: Page, wanted: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    const names = await page.evaluate(() => {
      const { activeElement: element } = document
      return ['id', 'name', 'type', 'aria-label']
        .map((name) => element?.getAttribute(name))
        .concat(element?.textContent)
    })
    if (names.includes(wanted)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`no press of Tab leads to ${wanted}`)
}
