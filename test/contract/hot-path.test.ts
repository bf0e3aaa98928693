/**
 * The hot path gives the responses of the general path, byte for byte, and writes the same lines to the log. Both servers get the same
 * requests, plain ones and those that differ from a plain one in a way that may matter.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createFullApi } from '../../lib/http/full-api.ts'
import { createHotPath, type HotPath } from '../../lib/http/node/hot-path.ts'
import { type RunningServer, type ServerOptions, startServer } from '../../lib/http/node/server.ts'
import type { OperationRecord } from '../../lib/http/request-context.ts'
import { type Folder, openFolder } from '../../lib/local/folder.ts'
import { folderPorts } from '../support/folder-ports.ts'

/** Large enough for bodies on both sides of the limit of the hot path, small enough for a body above the limit of the server. */
const MAX_BYTES = 20_000
const NOW = Date.parse('2026-01-02T03:04:05.678Z')

interface Side {
  readonly server: RunningServer
  readonly folder: Folder
  readonly dataDir: string
  readonly log: OperationRecord[]
  /** Requests that the hot path was given, and those of them that it passed on. */
  readonly counts: { given: number; passed: number }
}

/** @param timeouts in milliseconds. */
async function start(isHot: boolean, timeouts: ServerOptions['timeouts'] = {}): Promise<Side> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bucket-hot-'))
  const folder = await openFolder(dataDir)
  const log: OperationRecord[] = []
  const counts = { given: 0, passed: 0 }
  const ports = folderPorts(folder)
  const limits = { maxArtifactBytes: MAX_BYTES, maxInlineBytes: MAX_BYTES, presignedSeconds: 600 }
  const stores = { ...ports, ...limits, clock: () => NOW }
  const keep = (record: OperationRecord) => void log.push(record)
  // Few kept responses, so that old ones leave.
  const hotPath = createHotPath({ stores, log: keep, keptBytes: 40_000 })
  const counted: HotPath = (request) => {
    counts.given += 1
    hotPath({
      ...request,
      general(begun) {
        counts.passed += 1
        request.general(begun)
      },
    })
  }
  const server = await startServer({
    api: createFullApi({ stores, log: keep }),
    ...(isHot && { hotPath: counted }),
    host: '127.0.0.1',
    port: 0,
    timeouts,
  })
  return { server, folder, dataDir, log, counts }
}

/**
 * Sends bytes, and returns those of the response.
 *
 * @param first how many of the bytes arrive before the others.
 */
async function exchange(
  { server }: Side,
  bytes: Buffer,
  isHead: boolean,
  first = bytes.byteLength,
): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  let received = Buffer.alloc(0)
  const isWhole = () => {
    const end = received.indexOf('\r\n\r\n')
    if (end < 0) return false
    const head = received.toString('latin1', 0, end)
    const length = /^content-length: (\d+)/im.exec(head)?.[1]
    const isEmpty = isHead || / (204|304) /.test(head.slice(0, 14)) || length === undefined
    return isEmpty || received.length >= end + 4 + Number(length)
  }
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    if (isWhole()) socket.destroy()
  })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  socket.setNoDelay(true).write(bytes.subarray(0, first), () => {
    // The servers run in this process, and read the first piece in the meantime.
    if (first < bytes.byteLength) setTimeout(() => socket.write(bytes.subarray(first)), 2)
  })
  await closed
  return received.toString('latin1')
}

/** Sends bytes of which the last request asks for a close, and returns everything until then. */
async function exchangeAll({ server }: Side, bytes: Buffer): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  socket.write(bytes)
  return (await buffer(socket)).toString('latin1')
}

async function stop({ server, folder, dataDir }: Side): Promise<void> {
  await server.stop()
  await folder.close()
  await rm(dataDir, { recursive: true })
}

/** Without what differs from one request to the next. */
const comparable = (response: string, { server }: Side) =>
  response
    // With its colon and as a whole, because a request id or a digest may contain the same digits.
    .replaceAll(new RegExp(`:${server.port}\\b`, 'g'), ':PORT')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'REQUEST')
    .replace(/^(Date|Server-Timing): .*$/gm, '$1')

const loggedFacts = ({ log }: Side) => log.splice(0).map(({ time, requestId, durationMs, ...facts }) => facts)

interface Case {
  readonly method: string
  readonly version: string
  readonly suffix: string
  readonly host: string
  readonly size: number
  readonly digest: 'right' | 'wrong' | 'upper' | 'missing' | 'twice'
  readonly lines: readonly string[]
  readonly framing: 'length' | 'chunked' | 'two pieces'
}

const PLAIN_LINES = [
  'User-Agent: test',
  'accept: */*',
  'Connection: keep-alive',
  'Content-Type: text/plain',
  'X-Uploaded-By: somebody',
  'X-Provenance-Source: a source',
  'Authorization: Bearer token',
]
/** Lines that are plain only on a store. */
const OF_A_STORE = new Set(PLAIN_LINES.slice(3, 6))
const OTHER_LINES = [
  'Connection: close',
  'Content-Type: application/x-www-form-urlencoded',
  'Content-Type: text/html',
  'X-Uploaded-By: two  spaces',
  'Accept: text/html',
  'Range: bytes=1-2',
  'If-None-Match: *',
  'If-Match: "sha256:x"',
  'Origin: http://elsewhere.example',
  'Sec-Fetch-Site: cross-site',
  'Content-Encoding: gzip',
  'X-Unknown: 1',
  `X-Uploaded-By: ${'x'.repeat(300)}`,
  `User-Agent: ${'x'.repeat(17_000)}`,
]
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) })

const cases: fc.Arbitrary<Case> = fc.record({
  method: fc.oneof({ weight: 6, arbitrary: fc.constantFrom('GET', 'PUT') }, fc.constantFrom('HEAD', 'POST')),
  version: fc.constantFrom('v1', 'v2', 'v3'),
  suffix: mostly('', '?', '?digest=sha256:x', '/', '%31', '%2e', '/entry'),
  host: mostly('127.0.0.1', 'localhost', 'LOCALHOST', 'elsewhere'),
  size: fc.constantFrom(0, 1, 100, 1000, 5000, 16_384, 16_385, MAX_BYTES + 1),
  digest: mostly<Case['digest']>('right', 'wrong', 'upper', 'missing', 'twice'),
  lines: fc.tuple(fc.subarray(PLAIN_LINES), fc.subarray(OTHER_LINES, { maxLength: 1 })).map(([a, b]) =>
    // A plain request in half of the cases.
    a.length % 2 === 0 ? a : [...a, ...b],
  ),
  framing: mostly<Case['framing']>('length', 'chunked', 'two pieces'),
})

function requestOf(sample: Case, artifact: string, port: number): Buffer {
  const bytes = Buffer.alloc(sample.size, sample.version)
  const hex = createHash('sha256').update(bytes).digest('hex')
  const digest = `X-Artifact-Digest: sha256:${hex}`
  const digests = {
    right: [digest],
    wrong: [digest.replace(/.$/, (last) => (last === '0' ? '1' : '0'))],
    upper: [digest.toUpperCase()],
    missing: [],
    twice: [digest, digest],
  }[sample.digest]
  const hasBody = sample.method === 'PUT' || sample.method === 'POST'
  const isChunked = hasBody && sample.framing === 'chunked'
  const head = [
    `${sample.method} /v1/buckets/b/artifacts/${artifact}/versions/${sample.version}${sample.suffix} HTTP/1.1`,
    `Host: ${sample.host}:${port}`,
    ...sample.lines.filter((line) => hasBody || !OF_A_STORE.has(line)),
    ...(hasBody ? digests : []),
    ...(hasBody ? [isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${sample.size}`] : []),
  ].join('\r\n')
  const framed = isChunked
    ? Buffer.concat([
        ...(sample.size > 0
          ? [Buffer.from(`${sample.size.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]
          : []),
        Buffer.from('0\r\n\r\n'),
      ])
    : bytes
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), hasBody ? framed : Buffer.alloc(0)])
}

describe('the hot path', { timeout: 120_000 }, () => {
  let hot: Side
  let general: Side
  beforeAll(async () => {
    hot = await start(true)
    general = await start(false)
  })
  afterAll(async () => {
    for (const side of [hot, general]) await stop(side)
  })

  it('gives the responses and the log lines of the general path', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(cases, { minLength: 4, maxLength: 12 }), async (samples) => {
        run += 1
        for (const sample of samples) {
          const [fromHot = '', fromGeneral = ''] = await Promise.all(
            [hot, general].map(async (side) => {
              const bytes = requestOf(sample, `a${run}`, side.server.port)
              const first = sample.framing === 'two pieces' ? bytes.byteLength >> 1 : bytes.byteLength
              return comparable(await exchange(side, bytes, sample.method === 'HEAD', first), side)
            }),
          )
          expect(fromHot).toBe(fromGeneral)
          expect(fromHot).toMatch(/^HTTP\/1\.1 \d{3} /)
          expect(loggedFacts(hot)).toEqual(loggedFacts(general))
        }
      }),
      { numRuns: 100 },
    )
    const { given, passed } = hot.counts
    // The comparison means something only if many requests took the hot path, and many did not.
    expect((given - passed) / given).toBeGreaterThan(0.15)
    expect(passed / given).toBeGreaterThan(0.15)
  })

  it('takes plain requests, and fetches a kept response with the same bytes', async () => {
    const { given, passed } = hot.counts
    const plain = (method: string): Case => ({
      ...{ method, version: 'v', suffix: '', host: '127.0.0.1', size: 1000, digest: 'right' },
      ...{ lines: PLAIN_LINES, framing: 'length' },
    })
    const [put, fetch] = [plain('PUT'), { ...plain('GET'), lines: PLAIN_LINES.slice(0, 3) }]
    const [stored, first, second] = [
      await exchange(hot, requestOf(put, 'plain', hot.server.port), false),
      await exchange(hot, requestOf(fetch, 'plain', hot.server.port), false),
      await exchange(hot, requestOf(fetch, 'plain', hot.server.port), false),
    ]
    expect(stored).toMatch(/^HTTP\/1\.1 201 /)
    expect(comparable(second, hot)).toBe(comparable(first, hot))
    expect(second.slice(-1000)).toBe('v'.repeat(1000))
    expect(hot.counts).toEqual({ given: given + 3, passed })
  })

  it('keeps pipelined requests in order, with fetches of kept responses among others', async () => {
    const one = (method: string, ...lines: string[]): Case => ({
      ...{ method, version: 'piped', suffix: '', host: '127.0.0.1', size: 1000, digest: 'right' },
      ...{ lines, framing: 'length' },
    })
    const [get, put] = [one('GET'), one('PUT')]
    const many = Array.from({ length: 40 }, () => get)
    const mixed = [get, put, get, one('HEAD'), get, one('GET', 'Range: bytes=1-2'), put, ...many]
    const last = one('GET', 'Connection: close')
    hot.log.length = 0
    const [fromHot, fromGeneral] = await Promise.all(
      [hot, general].map(async (side) => {
        const requests = [...mixed, last].map((sample) => requestOf(sample, 'piped', side.server.port))
        return comparable(await exchangeAll(side, Buffer.concat(requests)), side)
      }),
    )
    expect(fromHot).toBe(fromGeneral)
    expect(fromHot?.match(/HTTP\/1\.1 \d{3} /g)).toHaveLength(mixed.length + 1)
    expect(loggedFacts(hot)).toEqual(loggedFacts(general))
  })

  it('closes the connection of a client that reads nothing of many kept responses', async () => {
    const side = await start(true, { headers: 1_000, idle: 1_000 })
    const put: Case = {
      ...{ method: 'PUT', version: 'v', suffix: '', host: '127.0.0.1', size: 16_384, digest: 'right' },
      ...{ lines: [], framing: 'length' },
    }
    await exchange(side, requestOf(put, 'unread', side.server.port), false)
    const get = requestOf({ ...put, method: 'GET' }, 'unread', side.server.port)
    const socket = connect(side.server.port, '127.0.0.1').pause()
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    // More requests than the buffers of the system hold, so that the client is writing when the server closes.
    for (let mib = 0; mib < 16; mib += 1) socket.write(get.toString('latin1').repeat(2 ** 20 / get.length))
    await closed
    await stop(side)
  })

  it('takes a body that comes after its headers, and refuses a stored version before its body comes', async () => {
    const { given, passed } = hot.counts
    const put: Case = {
      ...{ method: 'PUT', version: 'v', suffix: '', host: '127.0.0.1', size: 1000, digest: 'right' },
      ...{ lines: [], framing: 'length' },
    }
    const bytes = requestOf(put, 'late', hot.server.port)
    const [head, body] = [bytes.subarray(0, -1000), bytes.subarray(-1000)]
    const socket = connect(hot.server.port, '127.0.0.1')
    socket.write(head)
    await expect.poll(() => hot.counts.given).toBe(given + 1)
    socket.write(body)
    const [stored] = await once(socket, 'data')
    expect(String(stored)).toMatch(/^HTTP\/1\.1 201 /)
    expect(hot.counts.passed).toBe(passed)
    socket.write(head)
    const [refused] = await once(socket, 'data')
    expect(String(refused)).toMatch(/^HTTP\/1\.1 409 /)
    socket.destroy()
    const fetched = await exchange(hot, requestOf({ ...put, method: 'GET' }, 'late', hot.server.port), false)
    expect(fetched.slice(-1000)).toBe('v'.repeat(1000))
  })
})
