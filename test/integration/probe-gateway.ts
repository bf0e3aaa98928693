/**
 * Honesty probes of API Gateway and Lambda: what arrives at a function, what comes back, and what the gateway refuses itself.
 */
import { header, type RawRequest, type RawResponse, sendRaw } from '../support/raw-http.ts'
import { instead, type Probe, type Sight } from './probe.ts'
import { makeProbeApi, REFUSAL } from './probe-api.ts'

const MIB = 1024 * 1024
const CONCURRENT = 20

/** A body that isn't text in any encoding, with a matching media type. */
const binary = (bytes: number): Partial<RawRequest> => ({
  method: 'PUT',
  headers: [['Content-Type', 'application/octet-stream']],
  body: Buffer.alloc(bytes, 0xff),
})

interface EchoedEvent {
  /** The template of the path that the gateway matched. */
  readonly resource: string
  readonly path: string
  readonly httpMethod: string
  readonly headers: Readonly<Record<string, string>>
  readonly multiValueHeaders: Readonly<Record<string, readonly string[]>> | null
  readonly multiValueQueryStringParameters: Readonly<Record<string, readonly string[]>> | null
  readonly bodyBytes: number
}

export async function gatewayProbes(endpoint: string): Promise<readonly Probe[]> {
  const root = new URL(await makeProbeApi(endpoint))
  const send = (path: string, more: Partial<RawRequest> = {}): Promise<RawResponse> =>
    sendRaw(root, { method: 'GET', ...more, path: `${root.pathname}${path}` })
  const echo = async (path: string, more: Partial<RawRequest> = {}): Promise<EchoedEvent | number> => {
    const response = await send(path, more)
    return response.status === 200
      ? (JSON.parse(response.body.toString('utf8')) as EchoedEvent)
      : response.status
  }
  const arrived = async (
    request: ReturnType<typeof echo>,
    as: (event: EchoedEvent) => Sight,
  ): Promise<Sight> => {
    const event = await request
    return typeof event === 'number' ? instead(event) : as(event)
  }
  const probeHeader = (event: EchoedEvent) => {
    const [, values] =
      Object.entries(event.multiValueHeaders ?? {}).find(([name]) => /^x-probe$/i.test(name)) ?? []
    return (
      values ??
      Object.entries(event.headers).flatMap(([name, value]) => (/^x-probe$/i.test(name) ? [value] : []))
    )
  }
  const probe = (name: string, promise: string, look: () => Promise<Sight>): Probe => ({
    name,
    promise,
    required: false,
    look,
  })
  /** The first failed observation of several. */
  const all = async (looks: readonly (() => Promise<Sight>)[]): Promise<Sight> => {
    for (const look of looks) {
      const sight = await look()
      if (sight !== true) return sight
    }
    return true
  }
  /** Another path must not reach the resource: the gateway refuses it, or the function sees the path as it was sent. */
  const leadsNowhere = (...paths: readonly string[]): Promise<Sight> =>
    all(
      paths.map((path) => async () => {
        const event = await echo(path)
        return typeof event === 'number' || event.path === path || `${path} arrived as ${event.path}`
      }),
    )
  const keeps = async (status: number, headers: Readonly<Record<string, string>>): Promise<Sight> => {
    const query = new URLSearchParams({ status: String(status), headers: JSON.stringify(headers) })
    const response = await send(`/echo/r?${query}`)
    const lost = Object.entries(headers).filter(([name, value]) => header(response, name) !== value)
    return (
      lost.length === 0 || lost.map(([name]) => `${name} arrived as ${header(response, name)}`).join('; ')
    )
  }
  const codedArrives = (coding: string): Promise<Sight> =>
    arrived(
      echo('/echo/b', { method: 'PUT', headers: [['Content-Encoding', coding]], body: Buffer.from('x') }),
      (event) => event.bodyBytes === 1 || `1 byte arrived as ${event.bodyBytes}`,
    )

  const sentAs = (...paths: readonly string[]): Promise<Sight> =>
    all(
      paths.map((path) => async () => {
        const plain = (text: string) => text.toLowerCase().replaceAll('%2e', '.')
        return arrived(
          echo(path),
          (event) => plain(event.path) === plain(path) || `${path} arrived as ${event.path}`,
        )
      }),
    )

  return [
    probe('raw-path', 'dot segments arrive as they were sent', () =>
      sentAs('/echo/x/../y', '/echo/./y', '/echo/%2e%2e/y'),
    ),
    probe('empty-segment', 'empty segments and a slash at the end arrive as they were sent', () =>
      all([() => sentAs('/echo//y', '/echo/y/', '//echo/y'), () => leadsNowhere('/one//y', '/one/y/')]),
    ),
    probe('encoded-path', 'a path parameter with encoded characters arrives as it was sent', () =>
      all(
        ['/one/a%2Fb', '/one/a%253Ab', '/one/a%3Ab', '/one/a%2'].map((path) => async () => {
          const same = (event: EchoedEvent) => event.resource === '/one/{id}' && event.path === path
          return arrived(echo(path), (event) => same(event) || `${path} arrived as ${event.path}`)
        }),
      ),
    ),
    probe('unreserved-path', 'unreserved characters that are percent-encoded arrive as they were sent', () =>
      arrived(
        echo('/one/%61b%2Dc'),
        (event) => event.path === '/one/%61b%2Dc' || `it arrived as ${event.path}`,
      ),
    ),
    probe('header-bytes', 'header values keep tabs, double spaces and bytes outside ASCII', () =>
      all(
        ['a  b', 'a\tb', 'caf\u00e9'].map((value) => async () => {
          const seen = echo('/echo/h', { headers: [['X-Probe', value]] })
          return arrived(
            seen,
            (event) =>
              probeHeader(event)[0] === value ||
              `${JSON.stringify(value)} arrived as ${JSON.stringify(probeHeader(event))}`,
          )
        }),
      ),
    ),
    probe('empty-header', 'a header with an empty value arrives', () =>
      arrived(echo('/echo/h', { headers: [['X-Probe', '']] }), (event) =>
        probeHeader(event)[0] === '' ? true : 'it does not arrive',
      ),
    ),
    probe('repeated-header', 'a header that is sent twice arrives twice, or joined', () =>
      arrived(
        echo('/echo/h', {
          headers: [
            ['X-Probe', 'a'],
            ['X-Probe', 'b'],
          ],
        }),
        (event) => {
          const seen = probeHeader(event)
          return /^a, ?b$/.test(seen.join(',')) || `it arrived as ${JSON.stringify(seen)}`
        },
      ),
    ),
    probe('repeated-query', 'a query parameter that is sent twice arrives twice', () =>
      arrived(echo('/echo/q?p=a&p=b'), (event) => {
        const seen = event.multiValueQueryStringParameters?.p ?? []
        return seen.join() === 'a,b' || `it arrived as ${JSON.stringify(seen)}`
      }),
    ),
    probe('chunked', 'a body without Content-Length arrives whole', () =>
      arrived(
        echo('/echo/b', { ...binary(1000), framing: 'chunked' }),
        (event) => event.bodyBytes === 1000 || `${event.bodyBytes} of 1000 bytes arrived`,
      ),
    ),
    probe('untyped-body', 'a binary body without Content-Type arrives unchanged', () =>
      arrived(
        echo('/echo/b', { ...binary(1000), headers: [] }),
        (event) =>
          event.bodyBytes === 1000 || `it was read as text: 1000 bytes arrived as ${event.bodyBytes}`,
      ),
    ),
    probe('gzip-coding', 'a body that says it is coded with gzip arrives as it was sent', () =>
      codedArrives('gzip'),
    ),
    probe('aws-chunked-coding', 'a body that says it is coded with aws-chunked arrives as it was sent', () =>
      codedArrives('aws-chunked'),
    ),
    probe('form-body', 'a body that says it is an HTML form arrives as it was sent', () =>
      arrived(
        echo('/echo/b', {
          method: 'PUT',
          headers: [['Content-Type', 'application/x-www-form-urlencoded']],
          body: Buffer.from('x'),
        }),
        (event) => event.bodyBytes === 1 || `1 byte arrived as ${event.bodyBytes}`,
      ),
    ),
    probe('body-limit', 'a body slightly above 4 MiB reaches the function', () =>
      arrived(
        echo('/echo/b', { ...binary(4 * MIB + 1) }),
        (event) => event.bodyBytes === 4 * MIB + 1 || `${event.bodyBytes} bytes arrived`,
      ),
    ),
    probe('any-method', 'OPTIONS, DELETE, POST and PATCH reach a function on the method ANY', () =>
      all(
        ['OPTIONS', 'DELETE', 'POST', 'PATCH'].map((method) => async () => {
          const seen = echo('/echo/m', { method })
          return arrived(
            seen,
            (event) => event.httpMethod === method || `${method} arrived as ${event.httpMethod}`,
          )
        }),
      ),
    ),
    probe('response-headers', 'headers of the function reach the client as they were sent', () =>
      keeps(200, {
        ETag: '"sha256:0"',
        Allow: 'GET, HEAD',
        Link: '</v1/x>; rel="next"',
        Location: '/v1/x',
        'Last-Modified': 'Mon, 23 Nov 2026 04:00:00 GMT',
        'Retry-After': '1',
        'Content-Disposition': 'attachment; filename="a-b"',
        'Cache-Control': 'no-store',
        'Accept-Ranges': 'bytes',
      }),
    ),
    probe('headers-of-304', 'headers of a 304 reach the client as they were sent', () =>
      keeps(304, {
        ETag: '"sha256:0"',
        'Content-Type': 'text/plain',
        'Last-Modified': 'Mon, 23 Nov 2026 04:00:00 GMT',
        'Content-Disposition': 'attachment; filename="a-b"',
      }),
    ),
    probe('concurrency', `${CONCURRENT} requests at the same time are all answered`, async () => {
      const seen = await Promise.all(Array.from({ length: CONCURRENT }, () => send('/echo/c')))
      const failed = seen.filter((response) => response.status !== 200)
      return failed.length === 0 || instead(failed.map((response) => response.status).join(', '))
    }),
    probe(
      'gateway-problems',
      "the gateway's own refusals carry the body and the type that were configured",
      async () => {
        const response = await send('/unknown')
        const { body, status } = response
        const type = header(response, 'Content-Type')
        const same =
          status === REFUSAL.status && body.toString('utf8') === REFUSAL.body && type === REFUSAL.type
        return same || instead(`${status} ${type} ${body.toString('utf8').slice(0, 80)}`)
      },
    ),
    probe('iam-authorization', 'an unsigned call of a method for IAM callers is refused', async () => {
      const { status } = await send('/iam')
      return status === 403 || instead(status)
    }),
    probe('api-keys', 'a call without the API key that a method asks for is refused', async () => {
      const { status } = await send('/key')
      return status === 403 || instead(status)
    }),
    probe('event-limit', 'a body that does not fit an event of 6,291,556 bytes is refused', async () => {
      const { status } = await send('/echo/b', { ...binary(5 * MIB) })
      return status >= 400 || instead(status)
    }),
    probe('gateway-limit', 'a body above 10 MB is refused with 413', async () => {
      const { status } = await send('/echo/b', { ...binary(11 * MIB) })
      return status === 413 || instead(status)
    }),
  ]
}
