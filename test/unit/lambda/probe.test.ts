/** The health probe requests the health of the API as a signed caller, and fails if it is not 200. */
import { createServer, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { PROBE_URL_VARIABLE } from '../../../lib/deployment/environment.ts'

const requests: IncomingMessage[] = []
let status = 200
const server = createServer((request, response) => {
  requests.push(request)
  response.writeHead(status).end('{"detail":"the ledger does not respond as it should"}')
})
let handler: () => Promise<void>

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  vi.stubEnv(PROBE_URL_VARIABLE, `http://127.0.0.1:${port}/v1`)
  vi.stubEnv('AWS_REGION', 'eu-west-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  vi.stubEnv('AWS_SESSION_TOKEN', 'session')
  handler = (await import('../../../lambda/probe.ts')).handler
})
afterAll(() => {
  vi.unstubAllEnvs()
  server.close()
  server.closeAllConnections()
})

test('requests GET /v1/health, signed for execute-api with the credentials of its role', async () => {
  await handler()
  const [request] = requests
  expect([request?.method, request?.url]).toEqual(['GET', '/v1/health'])
  expect(request?.headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/execute-api\/aws4_request/,
  )
  expect(request?.headers['x-amz-security-token']).toBe('session')
})

test('fails with the response if it is not 200', async () => {
  status = 503
  await expect(handler()).rejects.toThrow(/\/v1\/health is 503: .*the ledger does not respond/)
})

test('fails if no server responds', async () => {
  server.close()
  server.closeAllConnections()
  await expect(handler()).rejects.toThrow()
})
