/** `config.json`: the one place that names the API. */
import { describe, expect, it } from 'vitest'
import { isComplete, type PageConfig, parseConfig } from '../../../lib/page/connection.ts'

const BASE = 'http://127.0.0.1:9470/'

describe('config.json', () => {
  it('may name the API relative to the page', () => {
    const config = parseConfig({ api: 'v1' }, BASE)
    expect(config).toEqual({
      api: 'http://127.0.0.1:9470/v1',
      auth: 'none',
      apiKey: false,
      region: undefined,
    })
    expect(parseConfig({ api: 'v1' }, 'https://artifacts.example/tools/index.html').api).toBe(
      'https://artifacts.example/tools/v1',
    )
  })

  it('may name another origin, and what callers send', () => {
    const value = { api: 'https://artifacts.example/v1/', auth: 'iam', api_key: true, region: 'eu-west-1' }
    expect(parseConfig(value, BASE)).toEqual({
      api: 'https://artifacts.example/v1',
      auth: 'iam',
      apiKey: true,
      region: 'eu-west-1',
    })
  })

  it.each([
    [[], 'not a JSON object'],
    [{}, '"api"'],
    [{ api: 'javascript:alert(1)' }, '"api"'],
    [{ api: 'v1', auth: 'basic' }, '"auth"'],
    [{ api: 'v1', token: 'secret' }, '"token" is an unknown setting'],
    [{ api: 'v1', api_key: 'yes' }, '"api_key"'],
  ])('%j is refused with the reason', (value, reason) =>
    expect(() => parseConfig(value, BASE)).toThrow(
      expect.objectContaining({ name: 'ConfigError', message: expect.stringContaining(reason) }),
    ),
  )

  it('without credentials that the API asks for, nothing is sent', () => {
    const config: PageConfig = { api: `${BASE}v1`, auth: 'bearer', apiKey: true, region: undefined }
    expect(isComplete({ config, credentials: { kind: 'none' }, apiKey: undefined })).toBe(false)
    expect(isComplete({ config, credentials: { kind: 'bearer', token: 't' }, apiKey: undefined })).toBe(false)
    expect(isComplete({ config, credentials: { kind: 'bearer', token: 't' }, apiKey: 'k' })).toBe(true)
  })
})
