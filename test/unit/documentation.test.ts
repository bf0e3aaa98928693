/** The documents agree with the code: links have targets, and tables list the routes, errors and commands that exist. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXIT } from '../../lib/cli/exit-codes.ts'
import { ERRORS } from '../../lib/domain/errors.ts'
import { ERROR_STATUS } from '../../lib/protocol/errors.ts'
import { HEADERS } from '../../lib/protocol/headers.ts'
import { ROUTES } from '../../lib/protocol/routes.ts'
import { bucket } from './cli/command-line.ts'

const names = (await readdir('docs', { recursive: true })).filter((name) => name.endsWith('.md'))
const atRoot = (await readdir('.')).filter((name) => name.endsWith('.md'))
const pages = [...atRoot, 'packages/client/README.md', ...names.map((name) => join('docs', name))]
const texts = new Map(
  await Promise.all(pages.map(async (page) => [page, await readFile(page, 'utf8')] as const)),
)
const contract = texts.get('docs/http-api.md') ?? ''

/** As GitHub makes them. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

const anchors = new Map(
  [...texts].map(([page, text]) => [
    page,
    new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))),
  ]),
)

function deadLinks(page: string): string[] {
  const links = [...(texts.get(page) ?? '').matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(
    ([, link = '']) => link,
  )
  return links.filter((link) => {
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : normalize(join(dirname(page), path))
    return !existsSync(target) || (anchor !== undefined && !anchors.get(target)?.has(anchor))
  })
}

describe('the documents', () => {
  it.each(pages)('every link in %s has a target', (page) => {
    expect(deadLinks(page)).toEqual([])
  })
})

/** Paths in code marks that begin with one of our folders; a pattern with `*` or `…` names no single file. */
const namedPaths = (text: string): string[] =>
  [...text.matchAll(/`((?:bin|lib|lambda|test|tools|packages|python\/src)\/[^`\s*…{]+)`/g)].map(
    ([, path = '']) => path,
  )

describe('the pages', () => {
  it.each(pages.filter((page) => page !== 'CHANGELOG.md'))('%s names only files that exist', (page) => {
    expect(namedPaths(texts.get(page) ?? '').filter((path) => !existsSync(path))).toEqual([])
  })
})

describe('docs/decisions', () => {
  const records = pages.filter((page) => /decisions\/\d/.test(page))

  it.each(records)('%s has a status and a date, and is in the list of decisions', (page) => {
    const text = texts.get(page) ?? ''
    expect(text).toMatch(
      /^\*\*Status:\*\* (?:accepted|superseded|rejected).* · \*\*Date:\*\* \d{4}-\d\d-\d\d/m,
    )
    const title = /^# \d+\. (.+)$/m.exec(text)?.[1] ?? 'no title'
    expect(texts.get('docs/decisions/README.md')).toContain(`(${page.slice('docs/decisions/'.length)})`)
    expect(title).not.toBe('no title')
  })
})

describe('docs/http-api.md', () => {
  const rows = contract.split('\n').filter((line) => line.startsWith('|'))

  it.each(Object.entries(ERRORS))('tells the status of %s, and whether a retry helps', (code, rule) => {
    const row = rows.find(
      (line) =>
        line.includes(`\`${code}\``) &&
        line.startsWith(`| ${ERROR_STATUS[code as keyof typeof ERROR_STATUS]} |`),
    )
    expect(row?.split(' | ')[2]).toBe(rule.retryable ? 'yes' : 'no')
  })

  it('has every route with its side', () => {
    const versions = ROUTES.listVersions.path
    const written = Object.values(ROUTES).map(({ method, path, access }) => ({
      text: `\`${method} ${path.startsWith(versions) ? `V${path.slice(versions.length)}` : `/v1${path}`}\``,
      access,
    }))
    expect(
      written.filter(
        ({ text, access }) => !rows.some((row) => row.includes(text) && row.endsWith(`| ${access} |`)),
      ),
    ).toEqual([])
  })

  it('names every header to which Bucket gives its own meaning', () => {
    expect(Object.values(HEADERS).filter((name) => !contract.includes(`\`${name}`))).toEqual([])
  })
})

describe('docs/cli.md', () => {
  it('has every exit status', () => {
    const text = texts.get('docs/cli.md') ?? ''
    expect(Object.values(EXIT).filter((exit) => !text.includes(`\n| ${exit} |`))).toEqual([])
  })

  it('describes exactly the commands of `bucket --help`', async () => {
    const { stdout: help } = await bucket(['--help'])
    const listed = help.slice(help.indexOf('Commands:')).matchAll(/^ {2}([a-z]+) /gm)
    const commands = [...listed].map(([, name]) => name).filter((name) => name !== 'help')
    const described = (texts.get('docs/cli.md') ?? '').matchAll(/^\| `bucket ([a-z]+)\b/gm)
    expect(commands).toContain('put')
    expect([...new Set([...described].map(([, name]) => name))].sort()).toEqual(commands.sort())
  })
})
