/**
 * The tour (`npm run demo`): a server on a free port over a temporary folder, one real file stored and fetched back, then every
 * refusal. It uses the public client and plain HTTP, says what it asks and what came back, and exits with 1 when an answer is
 * not the promised one (docs/http-api.md). Whatever happens, the server is stopped and the folder removed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BucketClient } from 'bucket-v1/client'

const MIB = 1024 * 1024
const FILE_BYTES = 384 * MIB
const MAX_ARTIFACT_BYTES = 512 * MIB
const START_MS = 20_000
const ANSWER_MS = 10_000
const COMMAND = ['--conditions=source', '--import', 'tsx', resolve(import.meta.dirname, 'bucket.ts')]

const say = (text: string) => process.stdout.write(`${text}\n`)
const sha256 = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const short = (digest: string) => `${digest.slice(0, 19)}…`

let broken = 0

/** Prints one line for one promise, and remembers when it was not kept. */
function check(what: string, answer: string, kept: boolean): void {
  if (!kept) broken += 1
  say(`  ${kept ? 'ok ' : 'NOT AS PROMISED'} ${what.padEnd(46)} ${answer}`)
}

/** Pseudo-random bytes that are the same on every machine: AES-256-CTR over zeros. */
async function* deterministicBytes(size: number): AsyncGenerator<Uint8Array> {
  const cipher = createCipheriv('aes-256-ctr', Buffer.alloc(32, 7), Buffer.alloc(16))
  const zeros = Buffer.alloc(MIB)
  for (let left = size; left > 0; left -= MIB) yield cipher.update(zeros.subarray(0, Math.min(left, MIB)))
}

async function timed<T>(bytes: number, work: Promise<T>): Promise<[T, string]> {
  const from = performance.now()
  const result = await work
  const seconds = (performance.now() - from) / 1000
  return [result, `${seconds.toFixed(1)} s, ${Math.round(bytes / MIB / seconds)} MiB/s`]
}

/** @returns the server's root, `http://127.0.0.1:…/v1`, from the line that it prints when it is ready. */
async function readyUrl(server: ChildProcess): Promise<string> {
  if (!server.stdout) throw new Error('the server has no stdout')
  const timeout = AbortSignal.timeout(START_MS)
  const lines = createInterface({ input: server.stdout, signal: timeout })
  for await (const line of lines) {
    const [url] = /http:\/\/\S+\/v1/.exec(line) ?? []
    if (url) return url
  }
  throw new Error(`the server did not say that it is ready within ${START_MS / 1000} s`)
}

interface Ask {
  readonly what: string
  readonly method?: string
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly expect: readonly [status: number, code?: string]
  /** What to show of the answer, and what else must hold; nothing when it does not. */
  readonly shows?: (problem: Record<string, unknown>, headers: IncomingHttpHeaders) => string | undefined
}

/** One request over `node:http`: the path goes out as it stands here, dot segments and all. */
async function send(root: URL, { method = 'GET', path, headers = {}, body }: Ask) {
  const outgoing = request({
    host: root.hostname,
    port: root.port,
    method,
    path,
    headers,
    signal: AbortSignal.timeout(ANSWER_MS),
  })
  let sent = 0
  outgoing.on('continue', () => {
    sent += 1
  })
  // With Expect the body waits for a go-ahead, which a refusal never gives.
  if (headers.Expect === undefined) outgoing.end(body)
  else outgoing.flushHeaders()
  const [incoming] = await once(outgoing, 'response')
  const text = Buffer.concat(await Readable.from(incoming).toArray()).toString('utf8')
  outgoing.destroy()
  return { status: incoming.statusCode, headers: incoming.headers, text, askedForBody: sent > 0 }
}

async function ask(root: URL, question: Ask): Promise<void> {
  const [status, code] = question.expect
  const answer = await send(root, question)
  const isProblem = answer.headers['content-type'] === 'application/problem+json'
  const problem: Record<string, unknown> = isProblem ? JSON.parse(answer.text) : {}
  const shown = question.shows ? question.shows(problem, answer.headers) : ''
  const kept =
    answer.status === status && problem.code === code && shown !== undefined && !answer.askedForBody
  check(question.what, `${answer.status} ${String(problem.code ?? '')}${shown ? ` · ${shown}` : ''}`, kept)
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Every way in which the server says no, but for those that need a broken disk or a gateway. */
function refusals(versions: string, digest: string, size: number): Ask[] {
  const stored = `${versions}/step-1000`
  const fresh = `${versions}/step-2000`
  const put = (path: string, body: string, headers: Record<string, string> = {}) => ({
    method: 'PUT',
    path,
    body,
    headers: { 'X-Artifact-Digest': sha256(body), ...headers },
  })
  return [
    {
      what: 'store with three faults at once',
      ...put(`${versions}/-x`, 'a', { 'X-Artifact-Digest': 'ABC', 'X-Uploaded-By': '' }),
      expect: [400, 'invalid_request'],
      shows: ({ errors }) =>
        Array.isArray(errors) && errors.length === 3
          ? errors.map(({ name }: { name: string }) => name).join(', ')
          : undefined,
    },
    {
      what: 'store with an MD5 for a digest',
      ...put(fresh, 'a', { 'X-Artifact-Digest': createHash('md5').update('a').digest('hex') }),
      expect: [400, 'invalid_request'],
      shows: ({ detail }) => /looks like MD5/.exec(String(detail))?.[0],
    },
    {
      what: 'store bytes that lost their newline',
      ...put(fresh, 'weights', { 'X-Artifact-Digest': sha256('weights\n') }),
      expect: [400, 'digest_mismatch'],
      shows: ({ hint }) => text(hint)?.replace(/^.*?: /, ''),
    },
    {
      what: 'fetch what was just refused',
      path: fresh,
      expect: [404, 'version_not_found'],
    },
    {
      what: 'store the same bytes again',
      method: 'PUT',
      path: stored,
      headers: { 'X-Artifact-Digest': digest, 'Content-Length': String(size), Expect: '100-continue' },
      expect: [409, 'version_exists'],
      shows: ({ conflict }) =>
        conflict === 'identical' ? 'identical: treat it as done; no byte was sent' : undefined,
    },
    {
      what: 'store other bytes under the same version',
      ...put(stored, 'other'),
      expect: [409, 'version_exists'],
      shows: ({ conflict }) => (conflict === 'different' ? 'different: choose a new version' : undefined),
    },
    {
      what: 'the same with If-None-Match: *',
      ...put(stored, 'other', { 'If-None-Match': '*' }),
      expect: [412, 'precondition_failed'],
    },
    {
      what: 'store more than the limit',
      method: 'PUT',
      path: fresh,
      headers: {
        'X-Artifact-Digest': sha256('x'),
        'Content-Length': String(MAX_ARTIFACT_BYTES + 1),
        Expect: '100-continue',
      },
      expect: [413, 'artifact_too_large'],
      shows: (_, headers) => text(headers['upload-limit'])?.concat('; no byte was sent'),
    },
    {
      what: 'store with Content-Encoding: gzip',
      ...put(fresh, 'a', { 'Content-Encoding': 'gzip' }),
      expect: [415, 'unsupported_content_encoding'],
    },
    {
      what: 'fetch, but only with another digest',
      path: `${stored}?digest=${sha256('other')}`,
      expect: [412, 'digest_differs'],
    },
    {
      what: 'a range behind the end',
      path: stored,
      headers: { Range: `bytes=${size}-` },
      expect: [416, 'range_not_satisfiable'],
      shows: (_, headers) => text(headers['content-range']),
    },
    { what: 'fetch "latest"', path: `${versions}/latest`, expect: [404, 'version_not_found'] },
    { what: 'list all artifacts', path: '/v1/buckets/demo/artifacts', expect: [404, 'route_not_found'] },
    {
      what: 'delete',
      method: 'DELETE',
      path: stored,
      expect: [405, 'method_not_allowed'],
      shows: (_, headers) => text(headers.allow),
    },
    {
      what: 'a filter that does not exist',
      path: `${versions}?uploaded_by=me`,
      expect: [400, 'invalid_request'],
    },
    { what: 'a path with dots', path: `${versions}/%2e%2e`, expect: [400, 'invalid_request'] },
    {
      what: 'a page that rebinds its name to us',
      path: '/v1',
      headers: { Host: 'evil.example' },
      expect: [421, 'host_not_allowed'],
    },
    { what: 'still there, as stored', method: 'HEAD', path: stored, expect: [200] },
  ]
}

async function tour(url: string, folder: string): Promise<void> {
  const root = new URL(url)
  const file = join(folder, 'checkpoint.bin')
  const copy = join(folder, 'copy.bin')
  const bucket = new BucketClient({ url })
  const key = { bucketId: 'demo', artifactId: 'checkpoint' }
  const ref = { ...key, version: 'step-1000' }

  say(`\nA file of ${FILE_BYTES / MIB} MiB, generated`)
  const hash = createHash('sha256')
  const hashed = async function* (bytes: AsyncIterable<Uint8Array>) {
    for await (const chunk of bytes) {
      hash.update(chunk)
      yield chunk
    }
  }
  await pipeline(deterministicBytes(FILE_BYTES), hashed, createWriteStream(file))
  const digest = `sha256:${hash.digest('hex')}`
  say(`  ${digest}`)

  say('\nStored and fetched, verified on both ways')
  const [put, putTime] = await timed(
    FILE_BYTES,
    bucket.put(ref, file, { uploadedBy: 'demo', provenanceSource: 'bin/demo.ts' }),
  )
  check(
    'store demo/checkpoint/step-1000',
    `${short(put.entry.digest)} · ${putTime}`,
    put.created && put.entry.digest === digest,
  )
  const [got, getTime] = await timed(FILE_BYTES, bucket.download(ref, copy, { digest }))
  check(
    'fetch it into a file',
    `${short(got.digest)} · ${getTime}`,
    got.digest === digest && got.size === FILE_BYTES,
  )
  const again = await bucket.put(ref, file)
  check('store it again', `created: ${again.created}`, !again.created)
  await bucket.put({ ...ref, version: 'step-0' }, new Uint8Array())
  const entry = await bucket.entry(ref)
  check(
    'its entry',
    `${entry.size} bytes, by ${entry.uploadedBy}, from ${entry.provenanceSource}, ${entry.createdAt}`,
    entry.digest === digest && entry.uploadedBy === 'demo',
  )
  const versions: string[] = []
  for await (const listed of bucket.listVersions(key)) versions.push(listed.ref.version)
  check('the versions', versions.join(', '), versions.join() === 'step-0,step-1000')

  say('\nWhat Bucket refuses, and how')
  for (const question of refusals('/v1/buckets/demo/artifacts/checkpoint/versions', digest, FILE_BYTES))
    await ask(root, question)
}

const folder = await mkdtemp(join(tmpdir(), 'bucket-demo-'))
const server = spawn(
  process.execPath,
  [
    ...COMMAND,
    'serve',
    '--port',
    '0',
    '--data-dir',
    join(folder, 'data'),
    '--max-artifact-bytes',
    String(MAX_ARTIFACT_BYTES),
  ],
  { stdio: ['ignore', 'pipe', 'pipe'] },
)
let serverLog = ''
server.stderr.on('data', (chunk: Buffer) => {
  serverLog = (serverLog + chunk.toString('utf8')).slice(-4000)
})
const stopped = once(server, 'exit')
try {
  const url = await readyUrl(server)
  say(`A server on ${url}, over a temporary folder`)
  await tour(url, folder)
  server.kill('SIGTERM')
  const [code] = await stopped
  say('')
  check('the server stops when it is asked to', `exit ${code}`, code === 0)
} catch (error) {
  broken += 1
  say(`\nThe tour broke off: ${error instanceof Error ? error.stack : String(error)}\n${serverLog}`)
} finally {
  server.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
}
say(broken === 0 ? '\nEverything was as promised.' : `\n${broken} answers were not as promised.`)
process.exitCode = broken === 0 ? 0 : 1
