/** The settings of a connection: options, environment, configuration file; and what `bucket doctor` finds out about them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ClientFront, startFront } from '../../support/client-front.ts'
import { bucket } from './command-line.ts'

const UNUSED = 'http://127.0.0.1:9/v1'

let front: ClientFront
let home: string
beforeEach(async () => {
  front = await startFront()
  front.put('b/a/v', Buffer.from('x'))
  home = await mkdtemp(join(tmpdir(), 'bucket-config-'))
})
afterEach(async () => {
  await front.close()
  await rm(home, { recursive: true })
})

const configFile = () => join(home, '.config', 'bucket', 'config')
async function configure(text: string): Promise<void> {
  await mkdir(join(home, '.config', 'bucket'), { recursive: true })
  await writeFile(configFile(), text)
}
const on = (args: readonly string[], environment: Record<string, string | undefined> = {}) =>
  bucket(args, { environment: { HOME: home, BUCKET_URL: undefined, ...environment } })

describe('the configuration file', () => {
  it('gives the address of every command', async () => {
    await configure(`# of this machine\nurl = ${front.url}\n`)
    expect((await on(['show', 'b/a/v'])).exit).toBe(0)
  })

  it('is read from BUCKET_CONFIG or XDG_CONFIG_HOME instead', async () => {
    await configure(`url = ${front.url}`)
    expect((await on(['show', 'b/a/v'], { HOME: '/none', BUCKET_CONFIG: configFile() })).exit).toBe(0)
    const xdg = { HOME: '/none', XDG_CONFIG_HOME: join(home, '.config') }
    expect((await on(['show', 'b/a/v'], xdg)).exit).toBe(0)
  })

  it.each([
    ['missing', 'no such file'],
    ['.', 'is a folder|directory'],
  ])('that cannot be read is named: %s', async (name, reason) => {
    const path = join(home, name)
    const ran = await on(['show', 'b/a/v'], { BUCKET_CONFIG: path })
    expect(ran.exit).toBe(2)
    expect(ran.stderr).toMatch(/^error: The configuration file cannot be read\n/)
    expect(ran.stderr).toMatch(new RegExp(`why: {2}${path}: .*(${reason})`))
  })

  it('yields to the environment, and both yield to an option', async () => {
    await configure(`url = ${UNUSED}\ntimeout = 1ms`)
    expect((await on(['show', 'b/a/v'], { BUCKET_URL: front.url, BUCKET_TIMEOUT: '9s' })).exit).toBe(0)
    expect(
      (await on(['show', 'b/a/v', '--url', front.url], { BUCKET_URL: UNUSED, BUCKET_TIMEOUT: '9s' })).exit,
    ).toBe(0)
  })

  it('has profiles: the one that --profile names wins over the environment', async () => {
    await configure(`url = ${UNUSED}\n[staging]\nurl = ${front.url}\n`)
    expect((await on(['show', 'b/a/v', '--profile', 'staging'], { BUCKET_URL: UNUSED })).exit).toBe(0)
    expect((await on(['show', 'b/a/v'], { BUCKET_PROFILE: 'staging' })).exit).toBe(0)
    const unknown = await on(['show', 'b/a/v', '--profile', 'prod'])
    expect(unknown).toMatchObject({ exit: 2 })
    expect(unknown.stderr).toMatch(/Unknown profile "prod"[\s\S]*has the profiles staging/)
  })

  it.each([
    [
      'an unknown setting',
      'uri = x',
      /Invalid configuration file[\s\S]*line 1: unknown setting "uri"[\s\S]*url, auth/,
    ],
    ['a repeated setting', 'url = a\n[p]\nurl = b\n\nurl = c', /line 5 sets url again/],
    ['a line without a value', 'url', /line 1 is "url"/],
    ['a secret', '\ntoken = hush', /Secrets do not belong[\s\S]*line 2 sets token[\s\S]*BUCKET_TOKEN/],
  ])('is refused with the number of the line: %s', async (_, text, expected) => {
    await configure(text)
    const ran = await on(['show', 'b/a/v'])
    expect(ran.exit).toBe(2)
    expect(ran.stderr).toMatch(expected)
    expect(ran.stderr).not.toContain('hush')
  })

  it('is named when a setting of it is wrong', async () => {
    await configure('url = ftp://x')
    expect((await on(['show', 'b/a/v'])).stderr).toContain(`(from ${configFile()})`)
  })
})

describe('bucket doctor', () => {
  const states = (stdout: string) =>
    Object.fromEntries(
      JSON.parse(stdout).checks.map(({ check, state }: Record<string, string>) => [check, state]),
    )

  it('finds nothing wrong with a server that answers', async () => {
    const ran = await on(['doctor', '--json'], { BUCKET_URL: front.url })
    expect(ran.exit).toBe(0)
    expect(states(ran.stdout)).toEqual({
      versions: 'ok',
      configuration: 'ok',
      address: 'ok',
      proxy: 'ok',
      credentials: 'ok',
      server: 'ok',
      access: 'ok',
      clock: 'ok',
    })
  })

  it('says what is wrong, and exits as the first failure does', async () => {
    const missing = await on(['doctor', '--auth', 'bearer'], { BUCKET_URL: front.url })
    expect(missing.exit).toBe(2)
    expect(missing.stdout).toMatch(/failed +settings +Missing secret: [\s\S]*next: Set BUCKET_TOKEN/)
    const unreachable = await on(['doctor', '--url', UNUSED])
    expect(unreachable.exit).toBe(7)
    expect(unreachable.stdout).toMatch(/failed +server +No usable answer[\s\S]*no server listens there/)
  })

  it('compares the clocks', async () => {
    front.misbehave = () => ({
      head: ({ headers }) => {
        headers.date = new Date(Date.now() - 3_600_000).toUTCString()
      },
    })
    const ran = await on(['doctor', '--json'], { BUCKET_URL: front.url })
    expect(states(ran.stdout)).toMatchObject({ server: 'ok', clock: 'failed' })
    expect(ran.stdout).toContain('60 min ahead of the server')
  })

  it('prints no secret', async () => {
    const environment = {
      BUCKET_URL: front.url,
      BUCKET_TOKEN: 'hush-1',
      BUCKET_API_KEY: 'hush-2',
      HTTP_PROXY: 'http://u:hush-3@p:1',
    }
    const ran = await on(['doctor', '-v', '--auth', 'bearer'], environment)
    expect(ran.stdout).toContain('BUCKET_TOKEN is set')
    expect(ran.stdout + ran.stderr).not.toContain('hush')
  })
})

describe('BUCKET_OUTPUT', () => {
  it('agent makes every answer one document on stdout, failures included', async () => {
    const agent = { BUCKET_URL: front.url, BUCKET_OUTPUT: 'agent' }
    const shown = await on(['show', 'b/a/v'], agent)
    expect(shown).toMatchObject({ exit: 0, stderr: '' })
    expect(JSON.parse(shown.stdout)).toMatchObject({ ref: expect.stringMatching(/^b\/a\/v@sha256:/) })
    const failed = await on(['show', 'b/a/none'], agent)
    expect(failed).toMatchObject({ exit: 3, stderr: '' })
    expect(JSON.parse(failed.stdout)).toMatchObject({ error: { exit_code: 3, code: 'version_not_found' } })
    expect((await on(['get', 'b/a/v', '-o', '-'], agent)).stdout).toBe('x')
  })

  it('json adds --json to every command', async () => {
    const json = { BUCKET_URL: front.url, BUCKET_OUTPUT: 'json' }
    expect(JSON.parse((await on(['list', 'b/a'], json)).stdout).versions).toHaveLength(1)
  })

  it('is refused with another value', async () => {
    const ran = await on(['show', 'b/a/v'], { BUCKET_URL: front.url, BUCKET_OUTPUT: 'xml' })
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toContain('Set it to text, json or agent.')
  })
})

describe('an address without /v1', () => {
  it('is that of the API, also if it has a page for people', async () => {
    front.misbehave = ({ url }, response) => {
      if (url !== '/') return false
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>')
      return true
    }
    const { origin } = new URL(front.url)
    expect((await on(['doctor', '--url', origin])).exit).toBe(0)
  })
})
