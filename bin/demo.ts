/**
 * The tour (`npm run demo`): starts a server on a free port over a temporary folder, stores and fetches one file, then provokes
 * every refusal. It uses the public client and plain HTTP, prints each request and its response, and exits with 1 if a response
 * differs from docs/http-api.md. At the end, on failures and signals too, it stops the server and removes the folder.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BucketClient } from '../lib/client/node.ts'
import { MEDIA_TYPES } from '../lib/protocol/headers.ts'
import { type Ask, MAX_ARTIFACT_BYTES, refusals } from './demo-refusals.ts'

const MIB = 1024 * 1024
const FILE_BYTES = 384 * MIB
const START_MS = 20_000
const ANSWER_MS = 10_000
const COMMAND = ['--import', 'tsx', resolve(import.meta.dirname, 'bucket.ts')]

const say = (text: string) => process.stdout.write(`${text}\n`)
const short = (digest: string) => `${digest.slice(0, 19)}…`

let broken = 0

/** Prints one line for one promise, and counts a broken one. */
function check(what: string, answer: string, kept: boolean): void {
  if (!kept) broken += 1
  say(`  ${kept ? 'ok ' : 'NOT AS PROMISED'} ${what.padEnd(46)} ${answer}`)
}

/** Pseudo-random bytes, the same on every machine: AES-256-CTR over zeros. */
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
  throw new Error(`the server was not ready within ${START_MS / 1000} s`)
}

/** Sends one request over `node:http`, which leaves dot segments in the path as they are. */
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
  // With Expect the body waits for 100 Continue, which a refusal never sends.
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
  const isProblem = answer.headers['content-type'] === MEDIA_TYPES.problem
  const problem: Record<string, unknown> = isProblem ? JSON.parse(answer.text) : {}
  const shown = question.shows ? question.shows(problem, answer.headers) : ''
  const kept =
    answer.status === status && problem.code === code && shown !== undefined && !answer.askedForBody
  check(question.what, `${answer.status} ${String(problem.code ?? '')}${shown ? ` · ${shown}` : ''}`, kept)
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

  say('\nStore and fetch, verified in both directions')
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

  say('\nRefusals')
  for (const question of refusals('/v1/buckets/demo/artifacts/checkpoint/versions', digest, FILE_BYTES))
    await ask(root, question)
}

const folder = await mkdtemp(join(tmpdir(), 'bucket-demo-'))
const server = spawn(
  process.execPath,
  [
    ...COMMAND,
    'serve',
    '--store',
    'local',
    '--host',
    '127.0.0.1',
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

function cleanUp(): void {
  server.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
for (const [signal, exit] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.on(signal, () => {
    cleanUp()
    process.exit(exit)
  })

try {
  const url = await readyUrl(server)
  say(`A server on ${url}, over a temporary folder`)
  await tour(url, folder)
  server.kill('SIGTERM')
  const [code] = await stopped
  say('')
  check('the server stops on SIGTERM', `exit ${code}`, code === 0)
} catch (error) {
  broken += 1
  say(`\nThe tour failed: ${error instanceof Error ? error.stack : String(error)}\n${serverLog}`)
} finally {
  cleanUp()
}
say(broken === 0 ? '\nAll responses were as promised.' : `\n${broken} responses were not as promised.`)
process.exitCode = broken === 0 ? 0 : 1
