/** Hostile names, types, provenance and addresses stay text, and stored bytes never run as a page. */

import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { chooseFile, closePage, describeInBrowser, openPage, waitForText } from './chromium.ts'
import { servePage } from './served-page.ts'

/** A script that any of these texts could start would leave this mark. */
const ATTACK = '<img src=x onerror="globalThis.attacked=1"><script>globalThis.attacked=1</script>'
const isAttacked = (page: Page) => page.evaluate(() => 'attacked' in globalThis)

describeInBrowser('security', () => {
  const served = servePage()

  it('markup and javascript: in the description of an artifact are text, and no links', async () => {
    const { client, browser, url } = served()
    await client.put('demo/hostile/v1', new TextEncoder().encode('x'), {
      contentType: `text/html;${ATTACK}`.slice(0, 255),
      uploadedBy: ATTACK,
      provenanceSource: 'javascript:globalThis.attacked=1',
    })
    const opened = await openPage(browser, `${url}#demo/hostile/v1`)
    const { page } = opened
    const shown = await waitForText(page, 'javascript:globalThis.attacked=1')
    expect(shown).toContain(ATTACK)
    const addresses = await page.$$eval('a', (links) => links.map(({ protocol }) => protocol))
    expect(new Set(addresses)).toEqual(new Set(['http:']))
    expect(await page.$$eval('.facts img, .facts script, .facts a', (found) => found.length)).toBe(0)
    expect(await isAttacked(page)).toBe(false)
    expect(opened.complaints).toEqual([])
    await closePage(opened)
  })

  it('the same in a conflict, which shows the texts of the stored entry', async () => {
    const { browser, url, file } = served()
    const opened = await openPage(browser, `${url}#/store`)
    const { page } = opened
    await chooseFile(page, file('other.bin', 100))
    await page.waitForSelector('.file .digest')
    for (const [name, text] of Object.entries({ bucketId: 'demo', artifactId: 'hostile', version: 'v1' }))
      await page.locator(`[name=${name}]`).fill(text)
    await page.keyboard.press('Enter')
    expect(await waitForText(page, 'with other bytes')).toContain(ATTACK)
    expect(await isAttacked(page)).toBe(false)
    expect(opened.complaints).toEqual([])
    await closePage(opened)
  })

  it.each([
    ['markup', ATTACK],
    ['javascript:', 'javascript:globalThis.attacked=1'],
    ['a change of direction', 'demo/model/v1\u202egpj.exe'],
  ])('an address with %s is refused as text', async (_, fragment) => {
    const { browser, url } = served()
    const opened = await openPage(browser, `${url}#${encodeURIComponent(fragment)}`)
    const { page } = opened
    const shown = await waitForText(page, 'Invalid input')
    expect(shown).not.toContain('\u202e')
    expect(await page.$$eval('main img, main script', (found) => found.length)).toBe(0)
    expect(await isAttacked(page)).toBe(false)
    expect(opened.complaints).toEqual([])
    await closePage(opened)
  })

  it('the name of a file shows its invisible characters, and no markup', async () => {
    const { browser, url, folder } = served()
    const name = 'photo\u202egpj.exe <img src=x onerror=globalThis.attacked=1>'
    writeFileSync(join(folder, name), 'x')
    const opened = await openPage(browser, `${url}#/store`)
    const { page } = opened
    await chooseFile(page, join(folder, name))
    await page.waitForSelector('.file .digest')
    expect(await page.$eval('.file-name', ({ textContent }) => textContent)).toBe(
      name.replace('\u202e', '\\u{202e}'),
    )
    expect(await isAttacked(page)).toBe(false)
    await closePage(opened)
  })

  it('the browser enforces the policy: inline scripts, inline handlers and markup from text do not work', async () => {
    const { browser, url } = served()
    const opened = await openPage(browser, url)
    const { page } = opened
    await page
      .evaluate(() => {
        const script = document.createElement('script')
        script.append('globalThis.attacked = 1')
        document.body.append(script)
      })
      .catch(() => {})
    const isRefused = await page.evaluate(() => {
      try {
        document.createElement('div').innerHTML = '<b></b>'
        return false
      } catch (error) {
        return error instanceof TypeError
      }
    })
    expect(isRefused).toBe(true)
    expect(await isAttacked(page)).toBe(false)
    await closePage(opened)
  })

  it('stored HTML that is opened in a tab is saved and never shown, from the API and from a presigned address', async () => {
    const { client, browser, url, api, folder } = served()
    const html = `<!doctype html><title>attack</title><script>document.title='attacked'</script>`
    await client.put('demo/html/v1', new TextEncoder().encode(html), { contentType: 'text/html' })
    const version = `${api}/buckets/demo/artifacts/html/versions/v1`
    const { url: presigned } = await (await fetch(`${version}/download`)).json()
    for (const [at, address] of [version, new URL(presigned, url).href].entries()) {
      const { headers } = await fetch(address)
      expect(headers.get('content-disposition')).toMatch(/^attachment; filename="html-v1"$/)
      expect(headers.get('content-security-policy')).toBe('sandbox')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      const context = await browser.createBrowserContext()
      const page = await context.newPage()
      const session = await page.createCDPSession()
      const downloadPath = join(folder, `opened-${at}`)
      await session.send('Browser.setDownloadBehavior', {
        behavior: 'allow',
        downloadPath,
        ...(context.id !== undefined && { browserContextId: context.id }),
      })
      await expect(page.goto(address)).rejects.toThrow('net::ERR_ABORTED')
      expect(page.url()).toBe('about:blank')
      await expect.poll(() => namesIn(downloadPath)).toEqual([expect.stringMatching(/^html-v1/)])
      await context.close()
    }
  })

  it('another origin can neither read the API, nor store, nor run a stored script, nor put the page into a frame', async () => {
    const { browser, url, api, client } = served()
    const foreign = createServer((_, response) =>
      response
        .writeHead(200, { 'Content-Type': 'text/html' })
        .end(`<!doctype html><iframe src="${url}"></iframe>`),
    ).listen(0, '127.0.0.1')
    await once(foreign, 'listening')
    await client.put('demo/script/v1', new TextEncoder().encode('globalThis.attacked = 1'), {
      contentType: 'text/javascript',
    })
    const { port } = foreign.address() as AddressInfo
    const context = await browser.createBrowserContext()
    const page = await context.newPage()
    await page.goto(`http://127.0.0.1:${port}/`, { waitUntil: 'networkidle0' })
    const results = await page.evaluate(
      async (root, digest) => {
        const outcome = (promise: Promise<unknown>) => promise.then(() => 'done').catch(() => 'refused')
        const put = { method: 'PUT', body: '', headers: { 'X-Artifact-Digest': digest } }
        const load = (src: string) => {
          const script = Object.assign(document.createElement('script'), { src })
          document.head.append(script)
          return new Promise((resolve, reject) => Object.assign(script, { onload: resolve, onerror: reject }))
        }
        const versions = (artifact: string) => `${root}/buckets/demo/artifacts/${artifact}/versions/v1`
        return [
          await outcome(fetch(root)),
          await outcome(fetch(versions('foreign'), put)),
          await outcome(load(`${new URL('/page.js', root)}`)),
          await outcome(load(versions('script'))),
        ]
      },
      api,
      'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    )
    expect(results).toEqual(['refused', 'refused', 'refused', 'refused'])
    expect(await isAttacked(page)).toBe(false)
    const frame = page.frames().find((found) => found !== page.mainFrame())
    expect(await frame?.evaluate(() => document.body?.innerText ?? '')).not.toContain('Look up')
    await expect(client.entry('demo/foreign/v1')).rejects.toMatchObject({ code: 'version_not_found' })
    await context.close()
    foreign.close()
  })
})

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.endsWith('.crdownload'))
  } catch {
    return []
  }
}
