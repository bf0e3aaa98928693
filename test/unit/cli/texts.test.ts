/** The words of the command line: every error names what happened, why, and what to do, and nothing from HTTP. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeFailure } from '../../../lib/cli/failure-text.ts'
import { FOREIGN_WORDS } from '../../../lib/cli/foreign-words.ts'
import { REFUSALS } from '../../../lib/cli/refusal-texts.ts'
import type { Entry } from '../../../lib/domain/entry.ts'
import { type ClientFront, sendProblem, startFront } from '../../support/client-front.ts'
import { bucket } from './command-line.ts'

const HTTP_WORDS = /\b(GET|PUT|POST|DELETE|header|X-[A-Z]|status \d|request body|path|40\d|50\d|\/v1\/)/

describe('the texts of refusals', () => {
  it.each(Object.entries(REFUSALS))('have nothing from HTTP in them: %s', (_, { what, next }) => {
    expect(`${what} ${next.replace('http://127.0.0.1:9470/v1', '')}`).not.toMatch(HTTP_WORDS)
  })
})

describe('a word from other tools', () => {
  it.each(Object.keys(FOREIGN_WORDS))('is answered: %s', async (word) => {
    const ran = await bucket([word, 'b/a/v'])
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toMatch(
      new RegExp(`^error: Unknown command "${word}"\\n {2}why: {2}Bucket .+\\n {2}next: .+`),
    )
  })
})

describe('a malformed reference', () => {
  it.each([
    ['b/a/vé1', 'version "vé1" has "é" as character 2'],
    ['b/a/my model', 'version "my model" has " " as character 3'],
    ['b/_a/v', 'artifact_id "_a" begins with "_"'],
    ['b//v', 'artifact_id is empty'],
    ['b/a', 'has 2 parts'],
    [`b/a/${'v'.repeat(129)}`, 'version has 129 characters'],
  ])('%s is named with the place that is wrong', async (ref, why) => {
    const ran = await bucket(['show', ref])
    expect(ran.exit).toBe(2)
    expect(ran.stderr).toContain('error: Invalid reference\n')
    expect(ran.stderr).toContain(why)
  })
})

describe('a conflict', () => {
  let front: ClientFront
  beforeEach(async () => {
    front = await startFront()
  })
  afterEach(async () => await front.close())
  const put = (ref: string, ...options: string[]) =>
    bucket(['put', ref, '-', ...options], { url: front.url, stdin: Buffer.from('mine') })
  const stored = (ref: string, described: Partial<Entry>) =>
    front.put(ref, Buffer.from('theirs'), { described })

  it('with a taken version says who stored it and when', async () => {
    stored('b/a/v', { uploadedBy: 'cluster-5' })
    const ran = await put('b/a/v')
    expect(ran.exit).toBe(4)
    expect(ran.stderr).toContain('This version is stored already')
    expect(ran.stderr).toContain('b/a/v was stored by cluster-5 at 2026-11-23T04:00:00.000Z')
  })

  it('with a run of the same provenance says that the run is not reproducible', async () => {
    stored('b/a/v', { uploadedBy: 'me', provenanceSource: 'run-47' })
    const ran = await put('b/a/v', '--uploaded-by', 'me', '--provenance-source', 'run-47')
    expect(ran.stderr).toContain('This run produced different bytes')
    expect((await put('b/a/v', '--provenance-source', 'run-48')).stderr).not.toContain('This run produced')
  })

  it('with a content-derived name says that the name holds other bytes', async () => {
    const { stdout } = await put('b/other')
    const [ref = ''] = stdout.replace('b/other', 'b/a').split('@')
    stored(ref, {})
    const ran = await put('b/a')
    expect(ran.exit).toBe(4)
    expect(ran.stderr).toContain('This content-derived name holds other bytes')
  })
})

describe('a denied permission', () => {
  it.each([
    ["open '/srv/bucket/lock'", 'open', 'Permission denied', /^Check the permissions of the path/],
    ['listen', 'listen', 'The server cannot start', /--port/],
  ])('is about a path, or about a port: %s', (call, syscall, what, next) => {
    const error = Object.assign(new Error(`EACCES: permission denied, ${call}`), { code: 'EACCES', syscall })
    expect(describeFailure(error)).toMatchObject({ what, next: expect.stringMatching(next) })
  })
})

describe('other inputs', () => {
  it('are named as options, not as headers', async () => {
    const front = await startFront()
    front.misbehave = (_, response) =>
      sendProblem(response, 'invalid_request', {
        errors: [{ in: 'header', name: 'X-Provenance-Source', detail: 'is empty' }],
      })
    const ran = await bucket(['put', 'b/a/v', '-'], { url: front.url, stdin: Buffer.from('x') })
    expect(ran.stderr).toContain('--provenance-source is empty')
    expect(ran.stderr).not.toContain('X-Provenance')
    await front.close()
  })

  it('without colours contain no escape codes', async () => {
    expect((await bucket(['show', 'x'])).stderr).not.toContain('\u001b')
  })

  it('under a name that other tools move get a remark', async () => {
    const front = await startFront()
    const ran = await bucket(['put', 'b/a/latest', '-'], { url: front.url, stdin: Buffer.from('x') })
    expect(ran.stderr).toContain('"latest" is now these bytes permanently')
    await front.close()
  })
})
