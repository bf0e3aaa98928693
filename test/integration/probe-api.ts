/**
 * A REST API for the honesty probes of the gateway, made with plain signed requests: a Lambda function that returns its event,
 * a method for IAM callers only, one for holders of an API key, and a refusal with a body of its own.
 */
import { AwsClient } from 'aws4fetch'
import { zipOf } from './zip.ts'

/** Returns its event, with the status and headers that the query contains. */
const ECHO = `exports.handler = async (event) => ({
  statusCode: Number((event.queryStringParameters || {}).status || 200),
  headers: { 'Content-Type': 'application/json', ...JSON.parse((event.queryStringParameters || {}).headers || '{}') },
  body: JSON.stringify({ ...event, body: undefined, bodyBytes: Buffer.from(event.body || '', event.isBase64Encoded ? 'base64' : 'utf8').length }),
})
`
const FUNCTION = 'honesty-echo'
const ARN = `arn:aws:lambda:us-east-1:000000000000:function:${FUNCTION}`
const START_MS = 60_000

/** The configured body of the gateway's own refusal of an unknown path. */
export const REFUSAL = { status: 403, body: '{"code":"forbidden"}', type: 'application/problem+json' }

/** @returns the root of the stage, without a slash at its end. */
export async function makeProbeApi(endpoint: string): Promise<string> {
  const client = new AwsClient({
    accessKeyId: 'test',
    secretAccessKey: 'test',
    region: 'us-east-1',
    retries: 0,
  })
  const call = async (service: string, method: string, path: string, body?: object) => {
    const response = await client.fetch(`${endpoint}${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
      headers: { 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(START_MS),
      aws: { service },
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
  const gateway = (method: string, path: string, body?: object) => call('apigateway', method, path, body)

  await call('lambda', 'POST', '/2015-03-31/functions', {
    FunctionName: FUNCTION,
    Runtime: 'nodejs22.x',
    Handler: 'index.handler',
    Role: 'arn:aws:iam::000000000000:role/honesty-echo',
    Code: { ZipFile: zipOf('index.js', ECHO).toString('base64') },
    Timeout: 20,
  })
  for (const deadline = Date.now() + START_MS; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
    const { Configuration } = await call('lambda', 'GET', `/2015-03-31/functions/${FUNCTION}`)
    if (Configuration.State === 'Active') break
    if (Date.now() > deadline) throw new Error(`${FUNCTION} is ${Configuration.State}`)
  }

  const { id: api } = await gateway('POST', '/restapis', { name: 'honesty', binaryMediaTypes: ['*/*'] })
  const { item, _embedded } = await gateway('GET', `/restapis/${api}/resources`)
  const root: string = (item ?? _embedded.item)[0].id
  const resource = async (parent: string, pathPart: string): Promise<string> =>
    (await gateway('POST', `/restapis/${api}/resources/${parent}`, { pathPart })).id
  const method = async (id: string, name: string, rule: object) => {
    const path = `/restapis/${api}/resources/${id}/methods/${name}`
    await gateway('PUT', path, { authorizationType: 'NONE', ...rule })
    const uri = `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${ARN}/invocations`
    await gateway('PUT', `${path}/integration`, { type: 'AWS_PROXY', httpMethod: 'POST', uri })
  }
  await method(await resource(await resource(root, 'echo'), '{proxy+}'), 'ANY', {})
  await method(await resource(await resource(root, 'one'), '{id}'), 'ANY', {})
  await method(await resource(root, 'iam'), 'GET', { authorizationType: 'AWS_IAM' })
  await method(await resource(root, 'key'), 'GET', { apiKeyRequired: true })
  await gateway('PUT', `/restapis/${api}/gatewayresponses/MISSING_AUTHENTICATION_TOKEN`, {
    statusCode: String(REFUSAL.status),
    responseParameters: { 'gatewayresponse.header.Content-Type': `'${REFUSAL.type}'` },
    responseTemplates: { 'application/json': REFUSAL.body },
  })
  await gateway('POST', `/restapis/${api}/deployments`, { stageName: 'v1' })
  return `${endpoint}/_aws/execute-api/${api}/v1`
}
