/** The endpoint of links is the one that the SDK's client uses, wherever it is configured. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { configuredS3Endpoint } from '../../../lib/aws/s3-endpoint.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-endpoint-'))
  for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_PROFILE', 'AWS_REGION'])
    vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'))
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

test('there is none on AWS itself', async () => {
  expect(await configuredS3Endpoint('eu-west-1')).toBeUndefined()
})

test.each([
  ['AWS_ENDPOINT_URL', 'http://engine.test:7070'],
  ['AWS_ENDPOINT_URL_S3', 'https://engine.test/base'],
])('%s is used', async (name, url) => {
  vi.stubEnv(name, url)
  expect(await configuredS3Endpoint('eu-west-1')).toBe(url)
})

test('the endpoint of a profile is used', async () => {
  await writeFile(
    join(folder, 'config'),
    '[profile engine]\nservices = engine\n[services engine]\ns3 =\n  endpoint_url = http://profile.test:7070\n',
  )
  vi.stubEnv('AWS_PROFILE', 'engine')
  expect(await configuredS3Endpoint('eu-west-1')).toBe('http://profile.test:7070')
})

test('an endpoint without a scheme is refused', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL', 'localhost:9000')
  await expect(configuredS3Endpoint('eu-west-1')).rejects.toThrow('http:// or https://')
})

test('a missing region is named', async () => {
  await expect(configuredS3Endpoint(undefined)).rejects.toThrow('no AWS region is set')
})
