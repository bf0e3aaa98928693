/** The page as static files of another web server, in front of an API that asks for a token. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { chooseFile, closePage, describeInBrowser, openPage, press, type, waitForText } from './chromium.ts'
import { servePage } from './served-page.ts'

const TOKEN = 'the-token'
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

describeInBrowser('a deployment', () => {
  const served = servePage()
  let gateway: Server
  let root: string
  /** The paths of requests with the token. */
  const authorized: string[] = []
  beforeAll(async () => {
    gateway = createServer((incoming, outgoing) => {
      const path = incoming.url ?? '/'
      if (path.startsWith('/page/')) {
        const name = path.slice('/page/'.length).split('?', 1)[0] || 'index.html'
        outgoing.setHeader('Content-Type', TYPES[extname(name)] ?? 'application/json')
        const text =
          name === 'config.json' ? '{"api":"../v1","auth":"bearer"}' : readFileSync(join('dist/page', name))
        return outgoing.end(text)
      }
      const isPresigned = !path.startsWith('/v1')
      if (!isPresigned && incoming.headers.authorization !== `Bearer ${TOKEN}`)
        return outgoing
          .writeHead(401, { 'Content-Type': 'application/json' })
          .end('{"message":"Unauthorized"}')
      if (!isPresigned) authorized.push(path)
      const { origin: _, host: __, ...headers } = incoming.headers
      const { hostname, port } = new URL(served().api)
      const options = {
        hostname,
        port,
        path,
        method: incoming.method,
        headers: { ...headers, 'sec-fetch-site': 'none' },
      }
      const forwarded = request(options, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      forwarded.on('error', () => outgoing.destroy())
      return incoming.pipe(forwarded)
    }).listen(0, '127.0.0.1')
    await once(gateway, 'listening')
    root = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}/page/`
  })
  afterAll(() => gateway?.close())

  it('asks for the token before it sends anything, and stores with it', async () => {
    const opened = await openPage(served().browser, `${root}#/store`)
    const { page } = opened
    await waitForText(page, 'This deployment requires credentials')
    expect(authorized).toEqual([])
    await page.locator('input[type=password]').fill(TOKEN)
    await press(page, 'Use these')
    await chooseFile(page, served().file('token.bin', 5000))
    await page.waitForSelector('.file .digest')
    for (const [name, text] of Object.entries({ bucket_id: 'demo', artifact_id: 'token', version: 'v1' }))
      await type(page, name, text)
    await press(page, 'Store')
    await waitForText(page, 'Stored and verified')
    expect(await served().client.entry('demo/token/v1')).toMatchObject({ size: 5000 })
    expect(opened.complaints).toEqual([])
    await closePage(opened)
  })

  it('a wrong token is refused with what to do next', async () => {
    const opened = await openPage(served().browser, `${root}#demo/token/v1`)
    await opened.page.locator('input[type=password]').fill('wrong')
    await press(opened.page, 'Use these')
    expect(await waitForText(opened.page, 'You are not signed in')).toContain('give valid credentials')
    await closePage(opened)
  })

  it('a config.json that is wrong is explained to the operator', async () => {
    const opened = await openPage(served().browser, `${root}docs.html`)
    await opened.page.setRequestInterception(true)
    opened.page.on('request', (asked) =>
      asked.url().endsWith('config.json')
        ? asked.respond({ status: 200, contentType: 'application/json', body: '{"api":"../v1","token":"x"}' })
        : asked.continue(),
    )
    await opened.page.reload()
    const shown = await waitForText(opened.page, 'This page is not set up')
    expect(shown).toContain('"token" is an unknown setting')
    await closePage(opened)
  })
})
