/** Hosts that an operator allows: each name is one, with a port or for any port, and no other is let in. */
import { expect, it } from 'vitest'
import { allowedHosts, checkHost } from '../../../../lib/http/node/host-check.ts'

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
