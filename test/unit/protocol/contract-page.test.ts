/** The tables of docs/http-api.md equal the descriptors: every route, header, text, limit and error, and no other. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DESCRIPTION } from '../../../lib/domain/description.ts'
import { ERRORS, type ErrorCode } from '../../../lib/domain/errors.ts'
import { DESCRIPTION_WIRE } from '../../../lib/protocol/description.ts'
import { ERROR_STATUS } from '../../../lib/protocol/errors.ts'
import { HEADER_INPUTS } from '../../../lib/protocol/inputs.ts'
import { MESSAGE_SCHEMAS } from '../../../lib/protocol/message-schemas.ts'
import { ERROR_HEADERS, ROUTES, type RouteDescriptor } from '../../../lib/protocol/routes.ts'

const page = readFileSync('docs/http-api.md', 'utf8')

/** The rows of every table in a section, each as its cells without the rows of headings. */
function rowsOf(section: number): string[][] {
  const [, text = ''] = new RegExp(`^## ${section}\\. .*?\n(.*?)(?=^## |$(?![^]))`, 'ms').exec(page) ?? []
  return text
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[-|]+\|$/.test(line))
    .map((line) =>
      line
        .replaceAll('\\|', '/')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

/** The text between backticks. */
const codes = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
/** Header names among them, without their values. */
const headersIn = (cell = ''): string[] => codes(cell).map((code) => code.replace(/:.*$/, ''))

const versions = ROUTES.listVersions.path
const routes: readonly RouteDescriptor[] = Object.values(ROUTES)

describe('section 1', () => {
  it('has every text with its header, its member and its longest form', () => {
    const written = rowsOf(1).flatMap(([, header, member, characters = '']) => {
      const [limit] = /^1–([\d,]+)$/.exec(characters)?.slice(1) ?? []
      return limit === undefined ? [] : [[...codes(header), ...codes(member), Number(limit.replace(',', ''))]]
    })
    const texts = Object.entries(DESCRIPTION_WIRE).map(([name, { header, member }]) => [
      header,
      member,
      DESCRIPTION[name as keyof typeof DESCRIPTION].maxLength,
    ])
    expect(written.sort()).toEqual(texts.sort())
  })
})

describe('section 2', () => {
  it('has every route with its access, and no other', () => {
    const written = rowsOf(2).flatMap(([requests, , access]) =>
      codes(requests)
        .filter((request) => /^[A-Z]+ /.test(request))
        .map((request) => `${request} ${access}`),
    )
    const expected = routes.map(({ method, path, access }) => {
      const short = path.startsWith(versions) ? `V${path.slice(versions.length)}` : `/v1${path}`
      return `${method} ${short} ${access}`
    })
    expect(written.sort()).toEqual(expected.sort())
  })

  it('has every limit of the service document', () => {
    const written = rowsOf(2).flatMap(([member]) => codes(member).filter((code) => code.startsWith('max_')))
    expect(written.sort()).toEqual(Object.keys(MESSAGE_SCHEMAS.Service.properties.limits.properties).sort())
  })
})

describe('section 4', () => {
  it('has every request header of a store', () => {
    const written = rowsOf(4).flatMap(([names]) => headersIn(names))
    const inputs = ROUTES.store.headers.flatMap((input) => Object.keys(HEADER_INPUTS[input]))
    expect(written).toEqual(expect.arrayContaining(inputs))
  })
})

describe('section 5', () => {
  const row = (status: string) => headersIn(rowsOf(5).find(([first]) => first?.startsWith(status))?.[1])
  const { 200: whole, 304: unchanged, 307: redirect } = ROUTES.fetch.responses

  it('has every header of the bytes', () => {
    // These two are set on every response with a body, or on every response.
    const expected = [...whole.headers, 'Cache-Control', 'Content-Type'].sort()
    expect(row('200').sort()).toEqual(expected)
    expect([...unchanged.headers, 'Cache-Control', 'Content-Type'].sort()).toEqual(expected)
    expect([...ROUTES.head.responses[200].headers].sort()).toEqual([...whole.headers].sort())
  })

  it('has every header of a redirect', () => {
    expect(row('307').sort()).toEqual([...redirect.headers, 'Cache-Control'].sort())
  })

  it('has every request header and query parameter of a fetch', () => {
    const written = rowsOf(5).flatMap(([names]) => headersIn(names))
    const inputs = ROUTES.fetch.headers.flatMap((input) => Object.keys(HEADER_INPUTS[input]))
    expect(inputs.filter((name) => !written.some((code) => code === name))).toEqual([])
  })
})

describe('section 6', () => {
  it('has every query parameter of a list, and no other', () => {
    expect(rowsOf(6).flatMap(([name]) => codes(name))).toEqual([...ROUTES.listVersions.query])
  })
})

describe('section 8', () => {
  const rows = rowsOf(8).filter(([status]) => /^\d+$/.test(status ?? ''))

  it('has every error code with its status and whether a retry helps, and no other', () => {
    const written = rows.flatMap(([status, names, retryable]) =>
      codes(names).map((code) => `${status} ${code} ${retryable}`),
    )
    const expected = (Object.keys(ERRORS) as ErrorCode[]).map(
      (code) => `${ERROR_STATUS[code]} ${code} ${ERRORS[code].retryable ? 'yes' : 'no'}`,
    )
    expect(written.sort()).toEqual(expected.sort())
  })

  it.each(Object.entries(ERROR_HEADERS))('has the headers of %s', (code, headers) => {
    const row = rows.find(([, names]) => codes(names).includes(code))
    expect(headersIn(row?.[3])).toEqual(expect.arrayContaining([...headers]))
  })
})
