/** The options of `bucket mcp`, before a server starts. */
import { describe, expect, it } from 'vitest'
import type { McpSettings } from '../../../lib/cli/context.ts'
import { bucket } from './command-line.ts'

async function settingsOf(...options: string[]) {
  let settings: McpSettings | undefined
  let url: string | undefined
  const ran = await bucket(['mcp', ...options], {
    runMcp: async (client, given) => {
      url = client.url
      settings = given
    },
  })
  return { ...ran, settings, url }
}

describe('bucket mcp', () => {
  it('serves stdin and stdout, with every tool, in the default root', async () => {
    const { exit, settings } = await settingsOf()
    expect(exit).toBe(0)
    expect(settings).toMatchObject({ roots: undefined, readOnly: false, http: undefined })
  })

  it('takes several roots, an address of Bucket, and HTTP on loopback', async () => {
    const address = 'https://artifacts.example/v1'
    const { settings, url } = await settingsOf(
      '--root',
      'a',
      '--root',
      'b',
      '--read-only',
      '--http',
      '--url',
      address,
    )
    expect(url).toBe(address)
    expect(settings).toMatchObject({
      roots: ['a', 'b'],
      readOnly: true,
      http: { host: '127.0.0.1', port: 9471 },
    })
  })

  it('warns about an address that other machines reach', async () => {
    expect((await settingsOf('--http', '--host', '0.0.0.0')).stderr).toContain(
      'reachable from other machines',
    )
    expect((await settingsOf('--http')).stderr).toBe('')
  })

  it.each([
    [['--port', '99999'], 'not a port'],
    [['--rot', '.'], 'Did you mean --root?'],
    [['--url', 'ftp://x'], 'not an http or https address'],
    [['--auth', 'bearer'], 'BUCKET_TOKEN is not set'],
  ])('says what is wrong with %j', async (options, expected) => {
    const { exit, stderr, settings } = await settingsOf(...options)
    expect(exit).toBe(2)
    expect(stderr).toContain(expected)
    expect(settings).toBeUndefined()
  })
})
