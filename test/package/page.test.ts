/** The built page: small, complete in itself, and without anything that a strict Content-Security-Policy refuses. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, inject, it, test } from 'vitest'
import { openApiDocument } from '../../lib/http/openapi.ts'

const FOLDER = 'dist/page'
const names = readdirSync(FOLDER)
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8')
const pages = names.filter((name) => name.endsWith('.html'))
const sizes = (list: readonly string[]) =>
  list.reduce((sum, name) => sum + gzipSync(read(name), { level: 9 }).byteLength, 0)

test('all files together are smaller than 60 KB, gzipped', () => {
  expect(names).toEqual(
    expect.arrayContaining(['index.html', 'docs.html', 'page.js', 'docs.js', 'worker.js', 'page.css']),
  )
  expect(sizes(names)).toBeLessThan(60_000)
})

test('the package contains every file of the page', () => {
  const listed = execFileSync('tar', ['tzf', inject('packed').service], { encoding: 'utf8' })
  for (const name of names) expect(listed).toContain(`package/dist/page/${name}\n`)
})

describe.each(pages)('%s', (name) => {
  const html = read(name)

  it('has no inline script, no inline style and no event handler', () => {
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/)
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=/)
  })

  it('loads only files of its own folder, by relative addresses', () => {
    const loaded = [...html.matchAll(/\s(?:src|href)="([^"]*)"/g)].map(([, address = '']) => address)
    expect(loaded.length).toBeGreaterThan(2)
    for (const address of loaded) expect(names).toContain(address)
  })

  it('has a policy that allows no inline or foreign script, where the web server sends none', () => {
    const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? []
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).not.toMatch(/unsafe|\*|data:|blob:/)
  })

  it('says what works without JavaScript', () => expect(html).toContain('<noscript>'))
})

test('no script makes markup or code from text', () => {
  for (const name of names.filter((file) => file.endsWith('.js'))) {
    // Preact mentions innerHTML for a prop that the page never sets: with Trusted Types a use of it would fail.
    expect(read(name), name).not.toMatch(
      /\beval\(|new Function|document\.write|insertAdjacentHTML|dangerouslySetInnerHTML:/,
    )
  }
})

test('the stylesheet loads nothing', () => expect(read('page.css')).not.toMatch(/url\(|@import/))

test('the API page shows the document that the API sends', () => {
  expect(JSON.parse(read('openapi.json'))).toEqual(JSON.parse(JSON.stringify(openApiDocument())))
})

test('config.json has no more than the address of the API and what it asks callers for', () => {
  expect(JSON.parse(read('config.json'))).toEqual({ api: 'v1', auth: 'none' })
})

test('the licences of the bundled packages are included', () => {
  for (const name of ['preact', '@noble/hashes', 'aws4fetch'])
    expect(read('THIRD-PARTY-LICENSES.txt')).toMatch(new RegExp(`^${name} \\d`, 'm'))
})
