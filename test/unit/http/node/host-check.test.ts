/** Hosts that an operator allows: each name is one, with a port or for any port, and no other is let in. */
import { describe, expect, it } from 'vitest'
import { type AllowedHosts, allowedHosts, checkHost } from '../../../../lib/http/node/host-check.ts'

const allowed = allowedHosts({ host: '127.0.0.1', port: 9470 }, undefined, [
  'Bucket',
  'artifacts.example:8080',
])

it.each([
  ['bucket', undefined],
  ['bucket:9470', 'http://bucket:9470'],
  ['BUCKET:1', 'https://bucket'],
  ['artifacts.example:8080', 'http://artifacts.example:8080'],
])('accepts %s with the origin %s', (host, origin) => {
  expect(() => checkHost(allowed, [host], origin === undefined ? {} : { origin }, false)).not.toThrow()
})

it.each([
  ['artifacts.example', undefined],
  ['artifacts.example:80', undefined],
  ['bucket.evil.example', undefined],
  ['notbucket', undefined],
  ['bucket', 'http://evil.example'],
  ['bucket', 'http://bucket.evil.example'],
  ['bucket', 'null'],
])('refuses %s with the origin %s', (host, origin) => {
  expect(() => checkHost(allowed, [host], origin === undefined ? {} : { origin }, false)).toThrow(
    /does not accept/,
  )
})

describe('a default port', () => {
  const publicHosts = (url: string) => allowedHosts({ host: '127.0.0.1', port: 9470 }, new URL(url))
  const check = (hosts: AllowedHosts, host: string, origin?: string) => () =>
    checkHost(hosts, [host], origin === undefined ? {} : { origin }, false)

  it.each([
    ['https://bucket.example', 'bucket.example', 'bucket.example:443'],
    ['https://bucket.example:443', 'bucket.example', 'bucket.example:443'],
    ['http://Bucket.example', 'bucket.example', 'Bucket.example:80'],
    ['http://[::2]', '[::2]', '[::2]:80'],
  ])('of --public-url %s may be sent or left out', (url, ...hosts) => {
    for (const host of hosts) {
      expect(check(publicHosts(url), host)).not.toThrow()
      expect(check(publicHosts(url), host, `${new URL(url).protocol}//${host}`)).not.toThrow()
    }
  })

  it.each([
    ['https://bucket.example', 'bucket.example:80'],
    ['http://bucket.example', 'bucket.example:443'],
    ['https://bucket.example:8443', 'bucket.example'],
  ])('is that of the protocol: %s does not allow %s', (url, host) => {
    expect(check(publicHosts(url), host)).toThrow(/does not accept/)
  })

  it('of an allowed host may be left out, too, and a server on port 80 may be named without it', () => {
    const hosts = allowedHosts({ host: '127.0.0.1', port: 80 }, undefined, [
      'one.example:443',
      'two.example:80',
    ])
    for (const host of ['one.example', 'two.example', 'localhost', 'localhost:80'])
      expect(check(hosts, host)).not.toThrow()
    expect(check(hosts, 'one.example:80')).toThrow(/does not accept/)
  })
})
