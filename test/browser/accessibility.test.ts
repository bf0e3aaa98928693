/** axe finds nothing to complain of: every view, in both themes, at the width of a desk and of a phone. No view is wider than its window. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults, RunOptions } from 'axe-core'
import type { Page } from 'puppeteer-core'
import { beforeAll, expect, it } from 'vitest'
import { chooseFile, closePage, describeInBrowser, openPage, press, waitForText } from './chromium.ts'
import { servePage } from './served-page.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PHONE = 360
const DESK = 1280

/** Colours depend on the theme and order on the width, so two looks cover both. */
const LOOKS = [
  { theme: 'light', width: DESK },
  { theme: 'dark', width: PHONE },
] as const

describeInBrowser('accessibility', () => {
  const served = servePage()
  beforeAll(async () => {
    const { client, file } = served()
    await client.put('demo/model/v1', file('model.bin', 100_000), {
      uploadedBy: 'training-cluster-5',
      provenanceSource: `run-47 ${'long'.repeat(50)}`,
    })
  })

  /** Each view: its address, and the steps that lead to it. */
  const views: Record<string, (page: Page) => Promise<unknown>> = {
    '': (page) => page.locator('summary').click(),
    '#demo/model': (page) => waitForText(page, '1 version'),
    '#demo/model/v1': (page) => waitForText(page, 'Fetch it elsewhere'),
    '#demo/model/absent': (page) => waitForText(page, 'This version is not stored'),
    '#demo/<img src=x>': (page) => waitForText(page, 'Invalid input'),
    docs: (page) => waitForText(page, 'Messages'),
    'v1/problems': (page) => waitForText(page, 'Problems'),
    'v1/problems/version_exists': (page) => waitForText(page, 'What to do next'),
    '#/store': async (page) => {
      await chooseFile(page, served().file('other.bin', 1000))
      await page.waitForSelector('.file .digest')
      await press(page, 'Store')
      await waitForText(page, 'bucket_id is empty')
      await page.locator('summary').click()
      const findings = await findingsOf(page)
      for (const [name, text] of Object.entries({ bucketId: 'demo', artifactId: 'model', version: 'v1' }))
        await page.locator(`[name=${name}]`).fill(text)
      await press(page, 'Store')
      await waitForText(page, 'with other bytes')
      return findings
    },
  }

  it.each(LOOKS)('no view has findings or overflows: %j', async ({ theme, width }) => {
    for (const [address, reach] of Object.entries(views)) {
      const opened = await openPage(served().browser, served().url + address, { theme, width })
      const before = await reach(opened.page)
      const findings = [
        ...(Array.isArray(before) ? before : []),
        ...(await findingsOf(opened.page)),
        ...opened.complaints,
      ]
      expect.soft(findings, address).toEqual([])
      await closePage(opened)
    }
  })
})

/** @returns what axe finds, and whether the page is wider than the window. */
async function findingsOf(page: Page): Promise<string[]> {
  // Evaluated by the browser's debugger, which the policy of the page does not bind.
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } }
    return await axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    })
  })
  const findings = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  return overflow > 0 ? [...findings, `${overflow} pixels wider than the window`] : findings
}
