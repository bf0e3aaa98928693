/**
 * The queries of docs/operations.md, on lines that the handlers really wrote: each query selects lines, and the lines have every
 * field that it names.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { GatewayRequest } from '../../support/gateway-event.ts'
import { useLambdas } from './lambdas.ts'

type Line = Readonly<Record<string, unknown>>

const runbook = readFileSync('docs/operations.md', 'utf8')
/** Logs Insights queries are the blocks that begin with one of its commands. */
const QUERIES = [...runbook.matchAll(/^```\n((?:filter|fields|stats) [\s\S]*?)\n```$/gm)].map(
  ([, query = '']) => query,
)
/** The fields in filter patterns of `aws logs filter-log-events`. */
const PATTERN_FIELDS = [...runbook.matchAll(/\$\.(\w+)/g)].map(([, field = '']) => field)

/** Words of the query language, which do not name fields. @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html */
const WORDS = new Set(
  'filter fields stats sort limit by as in and or not asc desc ispresent count sum avg min max pct latest bin'.split(
    ' ',
  ),
)
/** The parts of a query without its texts, its times and the names that it gives to results. */
const fieldsOf = (query: string): string[] => {
  const given = new Set([...query.matchAll(/\bas (\w+)/g)].map(([, name]) => name))
  const words = query.replaceAll(/"[^"]*"/g, '').match(/\b[a-z_]\w*/g) ?? []
  return [...new Set(words.filter((word) => !WORDS.has(word) && !given.has(word)))]
}

/** Evaluates one condition of a filter on a line. */
function meets(condition: string, line: Line): boolean {
  const present = /^ispresent\((\w+)\)$/.exec(condition)
  if (present) return line[present[1] ?? ''] !== undefined
  const [, field = '', operator, value = 'null'] = /^(\w+) (=|in|>=|>) (.+)$/.exec(condition) ?? []
  const expected: unknown = JSON.parse(value)
  const actual = line[field]
  if (operator === '=') return actual === expected
  if (operator === 'in') return (expected as unknown[]).includes(actual)
  if (operator === '>=') return Number(actual) >= Number(expected)
  if (operator === '>') return Number(actual) > Number(expected)
  throw new Error(`this test cannot evaluate the condition ${condition}`)
}

const conditionsOf = (query: string): string[] =>
  (/^filter ([^|]*)/.exec(query)?.[1] ?? '').trim().split(' and ').filter(Boolean)

const lambdas = useLambdas()
const lines: Line[] = []
const bytes = Buffer.from('hello')
const hex = createHash('sha256').update(bytes).digest('hex')
const parameters = (version: string) => ({
  bucket_id: 'b',
  artifact_id: 'a',
  version,
  digest: `sha256:${hex}`,
})
const json = (body: unknown) => ({
  headers: { 'Content-Type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
})
const store: GatewayRequest = {
  route: 'store',
  parameters: parameters('v1'),
  headers: { 'X-Artifact-Digest': `sha256:${hex}` },
  body: bytes,
}
const answerOf = async (request: GatewayRequest) => JSON.parse((await lambdas.send(request)).body)

beforeAll(async () => {
  vi.mocked(process.stdout.write).mockImplementation((line) => {
    lines.push(JSON.parse(String(line)))
    return true
  })
  await lambdas.send(store)
  await lambdas.send(store)
  await lambdas.send({ route: 'fetch', parameters: parameters('v1') })
  await lambdas.send({ route: 'fetch', parameters: parameters('none') })
  lambdas.aws.misbehave('GetItem', { status: 400, code: 'AccessDeniedException' }, 1)
  await lambdas.send({ route: 'fetch', parameters: parameters('v1') })
  const upload = { parameters: parameters('v2') }
  await lambdas.send({
    route: 'beginUpload',
    ...upload,
    ...json({ size: bytes.byteLength, mode: 'multipart' }),
  })
  const parts = json({ parts: [{ number: 1, sha256: hex }] })
  const [part] = (await answerOf({ route: 'presignParts', ...upload, ...parts })).parts
  await fetch(part.request.url, { method: 'PUT', headers: part.request.headers, body: bytes })
  await lambdas.send({ route: 'commitUpload', ...upload })
  // The first delivery fails, so the message comes again.
  const messages = [...lambdas.aws.messages]
  lambdas.aws.misbehave('GetItem', { status: 400, code: 'AccessDeniedException' }, 1)
  expect(await lambdas.deliver()).toBe(1)
  lambdas.aws.messages.push(...messages)
  expect(await lambdas.deliver()).toBe(0)
  vi.mocked(process.stdout.write).mockReturnValue(true)
})

describe('the Logs Insights queries of the runbook', () => {
  it('are found', () => {
    expect(QUERIES.length).toBeGreaterThanOrEqual(4)
  })

  it.each(QUERIES)('%s', (query) => {
    const selected = lines.filter((line) => conditionsOf(query).every((condition) => meets(condition, line)))
    expect(selected.length, 'selected lines').toBeGreaterThan(0)
    for (const field of fieldsOf(query))
      expect(
        selected.some((line) => line[field] !== undefined),
        `the field ${field} in ${JSON.stringify(selected[0])}`,
      ).toBe(true)
  })
})

it.each(PATTERN_FIELDS)('the filter patterns of the runbook name a field of the lines: %s', (field) => {
  expect(lines.some((line) => line[field] !== undefined)).toBe(true)
})
