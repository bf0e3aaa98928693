/** How a client reaches an API: through proxies, past private authorities, at any root, with a wrong clock. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { authForHost } from '../../../lib/client/api/auth.ts'
import { proxyFor } from '../../../lib/client/node/proxy.ts'
import { BucketClient, type ClientEvent } from '../../../lib/client/node.ts'
import { Semaphore } from '../../../lib/flow/semaphore.ts'
import { bundledProgram } from '../../support/bundled-program.ts'
import { type ClientFront, IMPATIENT, sendProblem, startFront } from '../../support/client-front.ts'

const REF = 'b/a/v'
const closing: (() => unknown)[] = []
let front: ClientFront
beforeEach(async () => {
  front = await startFront()
  front.put(REF, Buffer.from('hello'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await front.close()
  for (const close of closing.splice(0)) await close()
})

async function listen(server: http.Server | https.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A forward proxy that sends all requests to `port`, for any requested name. */
async function forwardProxy(port: number) {
  const asked: string[] = []
  const credentials: (string | undefined)[] = []
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    credentials.push(request.headers['proxy-authorization'])
    const { pathname, search } = new URL(request.url ?? '')
    const onward = http.request({ host: '127.0.0.1', port, method: request.method, path: pathname + search })
    for (const [name, value] of Object.entries(request.headers)) if (value) onward.setHeader(name, value)
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`)
    credentials.push(request.headers['proxy-authorization'])
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      onward.pipe(socket)
      socket.pipe(onward)
    })
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  })
  return { port: await listen(server), asked, credentials }
}

/** A TLS server for `name` with a certificate of its own, in front of the API. */
async function tlsFront(name: string) {
  const folder = mkdtempSync(join(tmpdir(), 'network-'))
  closing.push(() => rmSync(folder, { recursive: true }))
  const at = (file: string) => join(folder, file)
  execFileSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '1',
      ],
      ...['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name},DNS:localhost`],
      ...['-keyout', at('key'), '-out', at('cert')],
    ],
    { stdio: 'ignore' },
  )
  const cert = readFileSync(at('cert'))
  const target = new URL(front.url)
  const server = https.createServer({ key: readFileSync(at('key')), cert }, (request, response) => {
    const { method, url, headers } = request
    const onward = http.request({ host: target.hostname, port: target.port, method, path: url, headers })
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  return { port: await listen(server), ca: cert, caFile: at('cert') }
}

describe('a proxy', () => {
  it('carries http requests with the absolute address, and alone receives its credentials', async () => {
    const proxy = await forwardProxy(Number(new URL(front.url).port))
    vi.stubEnv('HTTP_PROXY', `http://user:p%40ss@127.0.0.1:${proxy.port}`)
    const bucket = new BucketClient({ url: 'http://bucket.test/v1', ...IMPATIENT })
    expect((await bucket.entry(REF)).size).toBe(5)
    await bucket.put('b/a/new', Buffer.alloc(3_000_000))
    expect(proxy.asked[0]).toMatch(/^GET http:\/\/bucket\.test\/v1\//)
    expect(proxy.credentials[0]).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
    expect(front.received[0]?.headers.host).toBe('bucket.test')
  })

  it('tunnels https, so that it sees no request', async () => {
    const server = await tlsFront('bucket.test')
    const proxy = await forwardProxy(server.port)
    vi.stubEnv('https_proxy', `127.0.0.1:${proxy.port}`)
    const bucket = new BucketClient({ url: 'https://bucket.test/v1', ca: server.ca, ...IMPATIENT })
    expect((await bucket.entry(REF)).size).toBe(5)
    expect((await bucket.entry(REF)).size).toBe(5)
    expect(proxy.asked).toEqual(['CONNECT bucket.test:443'])
  })

  it('that refuses is named', async () => {
    const server = http.createServer()
    server.on('connect', (_, socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'))
    const port = await listen(server)
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${port}`)
    const bucket = new BucketClient({ url: 'https://bucket.test/v1', ...IMPATIENT })
    await expect(bucket.entry(REF)).rejects.toThrow(`127.0.0.1:${port} asks for other credentials`)
  })

  it('that refuses a plain http request is named', async () => {
    const server = http.createServer((_, response) => response.writeHead(407).end())
    const port = await listen(server)
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${port}`)
    const bucket = new BucketClient({ url: 'http://bucket.test/v1', ...IMPATIENT })
    await expect(bucket.entry(REF)).rejects.toThrow(`127.0.0.1:${port} asks for other credentials`)
  })

  it.each(['http', 'https'])('that is down is named, and not the server: %s', async (scheme) => {
    const server = http.createServer()
    const port = await listen(server)
    server.close()
    vi.stubEnv(`${scheme.toUpperCase()}_PROXY`, `http://127.0.0.1:${port}`)
    const bucket = new BucketClient({ url: `${scheme}://bucket.test/v1`, ...IMPATIENT })
    const error = await bucket.entry(REF).catch((e) => e)
    expect(error).toMatchObject({
      kind: 'unreachable',
      message: `the proxy 127.0.0.1:${port} cannot be reached: no server listens there`,
    })
    expect(error.next).toContain('NO_PROXY')
  })

  it.each<[string, string, boolean]>([
    ['http://bucket.test/v1', '', true],
    ['http://bucket.test/v1', 'bucket.test', false],
    ['http://bucket.test/v1', 'other, .test', false],
    ['http://bucket.test/v1', '*.test', false],
    ['http://bucket.test/v1', 'et.test', true],
    ['http://bucket.test:8080/v1', 'bucket.test:80', true],
    ['http://bucket.test/v1', 'bucket.test:80', false],
    ['http://bucket.test/v1', '*', false],
    ['http://127.0.0.1:9470/v1', '', false],
    ['http://localhost/v1', '', false],
    ['http://[::1]/v1', '', false],
  ])('is used for %s without %j: %s', (url, noProxy, isUsed) => {
    const environment = { HTTP_PROXY: 'http://proxy.test:3128', NO_PROXY: noProxy }
    expect(proxyFor(new URL(url), environment) !== undefined).toBe(isUsed)
  })
})

describe('a private authority', () => {
  it('is trusted when its certificate is given, and named in the error otherwise', async () => {
    const { port, ca } = await tlsFront('localhost')
    const url = `https://localhost:${port}/v1`
    const error = await new BucketClient({ url, ...IMPATIENT, retry: { attempts: 1 } })
      .entry(REF)
      .catch((e) => e)
    expect(error.next).toContain('NODE_EXTRA_CA_CERTS')
    expect((await new BucketClient({ url, ca, ...IMPATIENT }).entry(REF)).size).toBe(5)
  })

  it('is refused at once if its file holds no certificate, or a damaged one', async () => {
    const damaged = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
    for (const ca of ['', 'no certificate', Buffer.from([0x30, 0x82]), damaged])
      expect(() => new BucketClient({ ca })).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ca_invalid' }),
      )
  })
})

describe('the root of an API', () => {
  it('is found if the address lacks /v1, by many concurrent requests', async () => {
    const bucket = new BucketClient({ url: front.origin, ...IMPATIENT })
    const found = await bucket.check(Array.from({ length: 20 }, () => REF))
    expect(new Set(found.map(({ state }) => state))).toEqual(new Set(['stored']))
  })

  it('may be that of the host', async () => {
    const target = new URL(front.url)
    const server = http.createServer((request, response) => {
      const onward = http.request({ host: target.hostname, port: target.port, path: `/v1${request.url}` })
      onward.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      })
      onward.end()
    })
    const bucket = new BucketClient({ url: `http://127.0.0.1:${await listen(server)}`, ...IMPATIENT })
    expect((await bucket.entry(REF)).size).toBe(5)
    await expect(bucket.entry('b/a/none')).rejects.toMatchObject({ code: 'version_not_found' })
  })

  it('is found below an address at which a gateway answers 403', async () => {
    const url = await gateway((path) => path.startsWith('/v1/') || path === '/v1')
    expect((await new BucketClient({ url, ...IMPATIENT }).entry(REF)).size).toBe(5)
  })

  it('is what a 403 without it asks for, next to the credentials', async () => {
    const url = await gateway(() => false)
    const error = await new BucketClient({ url, ...IMPATIENT }).entry(REF).catch((e) => e)
    expect(error).toMatchObject({ code: 'forbidden' })
    expect(error.next).toMatch(/credentials.*\.amazonaws\.com\/v1/)
  })

  /** API Gateway refuses paths that it does not know, and callers that it does not know, with the same status. */
  async function gateway(isKnown: (path: string) => boolean): Promise<string> {
    const target = new URL(front.url)
    const server = http.createServer((request, response) => {
      if (!isKnown(request.url ?? ''))
        return void response.writeHead(403).end('{"message":"Missing Authentication Token"}')
      const onward = http.request({ host: target.hostname, port: target.port, path: request.url })
      onward.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      })
      onward.end()
    })
    return `http://127.0.0.1:${await listen(server)}`
  }
})

describe('a wrong clock', () => {
  it('is corrected once from the response, and reported', async () => {
    const ahead = 20 * 60 * 1000
    const signed: string[] = []
    front.misbehave = (request, response) => {
      const time = String(request.headers['x-amz-date'])
      signed.push(time)
      response.setHeader('date', new Date(Date.now() + ahead).toUTCString())
      const at = Date.parse(time.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
      return Math.abs(at - Date.now() - ahead) > 5 * 60 * 1000 ? sendProblem(response, 'forbidden') : false
    }
    const events: ClientEvent[] = []
    const credentials = async () => ({ accessKeyId: 'AKID', secretAccessKey: 'secret' })
    const bucket = new BucketClient({
      url: front.url,
      auth: { kind: 'iam', region: 'eu-west-1', credentials },
      onEvent: (event) => events.push(event),
      ...IMPATIENT,
    })
    expect((await bucket.entry(REF)).size).toBe(5)
    await bucket.entry(REF)
    expect(signed).toHaveLength(3)
    expect(events.filter(({ kind }) => kind === 'clock')).toHaveLength(1)
  })

  it('is not blamed for every refusal', async () => {
    front.misbehave = (_, response) => sendProblem(response, 'forbidden')
    const credentials = async () => ({ accessKeyId: 'AKID', secretAccessKey: 'secret' })
    const auth = { kind: 'iam', region: 'eu-west-1', credentials } as const
    const bucket = new BucketClient({ url: front.url, auth, ...IMPATIENT })
    await expect(bucket.entry(REF)).rejects.toMatchObject({ code: 'forbidden' })
    expect(front.received).toHaveLength(1)
    expect(authForHost(new URL(front.url)).kind).toBe('none')
  })
})

describe('many calls at once', () => {
  it('run in order within a limit, and leave the queue on abort', async () => {
    const room = new Semaphore(2)
    let running = 0
    let most = 0
    const order: number[] = []
    const task = (number: number) => async () => {
      most = Math.max(most, ++running)
      order.push(number)
      await new Promise((resolve) => setImmediate(resolve))
      running--
    }
    const stop = new AbortController()
    const left = Array.from({ length: 10 }, (_, at) => room.run(undefined, task(at)))
    const aborted = room.run(stop.signal, task(99))
    stop.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await Promise.all(left)
    expect(most).toBe(2)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('succeed with few file descriptors: 1,100 puts of files with 1,024', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'many-'))
    closing.push(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'file'), 'same')
    const { path, remove } = await bundledProgram(`
      import { BucketClient } from './lib/client/node.ts'
      const bucket = new BucketClient({ url: ${JSON.stringify(front.url)} })
      const puts = Array.from({ length: 1100 }, (_, at) => bucket.put('many/puts/v' + at, ${JSON.stringify(join(folder, 'file'))}))
      console.log((await Promise.all(puts)).filter(({ created }) => created).length)`)
    closing.push(remove)
    const command = `ulimit -n 1024 && exec "${process.execPath}" "${path}"`
    const { spawn } = await import('node:child_process')
    const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (text) => (output += text))
    child.stderr.on('data', (text) => (output += text))
    await once(child, 'close')
    expect(output).toBe('1100\n')
  })
})
