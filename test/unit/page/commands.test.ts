/** The commands of an entry: complete, pinned, and made for what the API asks callers for. */
import { describe, expect, it } from 'vitest'
import { MANIFEST_TYPE } from '../../../lib/client/folder/manifest.ts'
import { commandsFor } from '../../../lib/page/commands.ts'
import { entryOf } from '../../support/fake-artifacts.ts'

const entry = entryOf('demo/Model:7B/v1', new TextEncoder().encode('weights'))
const config = { api: 'http://127.0.0.1:9470/v1', auth: 'none', apiKey: false, region: undefined } as const
const titles = (given: Partial<Parameters<typeof commandsFor>[1]>) =>
  commandsFor(entry, { ...config, ...given }).map(({ title }) => title)
const text = (title: string, given: Partial<Parameters<typeof commandsFor>[1]> = {}) =>
  commandsFor(entry, { ...config, ...given }).find((command) => command.title === title)?.text ?? ''

describe('commands', () => {
  it('pin the digest', () => {
    for (const command of commandsFor(entry, config))
      expect(command.text).toContain(entry.digest.slice('sha256:'.length))
  })

  it('leave out the address that every client takes by default', () => {
    expect(text('Command line')).toBe(`bucket get demo/Model:7B/v1@${entry.digest}`)
    expect(text('Python')).toContain('BucketClient().download(')
  })

  it('name any other address, quoted for a shell', () => {
    const api = "https://artifacts.example/it's/v1"
    expect(text('Command line', { api })).toContain(String.raw` --url 'https://artifacts.example/it'\''s/v1'`)
    expect(text('Python', { api })).toContain(`BucketClient("${api}")`)
  })

  it('fetch the files of a folder, and not its manifest alone', () => {
    const folder = { ...entry, contentType: MANIFEST_TYPE }
    const [line, python, ...others] = commandsFor(folder, config).map((command) => command.text)
    expect(line).toBe(`bucket pull demo/Model:7B/v1@${entry.digest} Model:7B-v1`)
    expect(python).toContain('BucketClient().pull(')
    expect(others).toEqual([])
  })

  it('offer curl only where its redirects keep no credential that a store refuses', () => {
    expect(titles({})).toEqual(['Command line', 'curl', 'Python'])
    expect(titles({ auth: 'bearer' })).toContain('curl')
    for (const given of [{ auth: 'iam' }, { auth: 'api-key' }, { apiKey: true }] as const)
      expect(titles(given)).toEqual(['Command line', 'Python'])
  })
})
