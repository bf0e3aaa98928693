import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { appendFile, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient, type Progress } from '../../../lib/client/node.ts'
import { type ClientFront, sendProblem, startFront } from '../../support/client-front.ts'
import { withMembers } from '../../support/fault-layer.ts'
import { sha256, someBytes } from '../../support/random-bytes.ts'

const REF = 'prod-models/llama:8b/v1+a'
let front: ClientFront
let bucket: BucketClient
let folder: string

beforeEach(async () => {
  front = await startFront()
  bucket = new BucketClient({
    url: front.url,
    retry: { baseMs: 1, maxDelayMs: 5 },
    timeouts: { idleMs: 20_000 },
  })
  folder = await mkdtemp(join(tmpdir(), 'client-put-'))
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})

const bodies = () =>
  front.received.filter(({ method, url }) => method === 'PUT' && !url.includes('/uploads/'))

describe('put', () => {
  it('stores a path, a Blob, bytes and streams, with their description', async () => {
    const bytes = someBytes(3_000_000)
    const path = join(folder, 'model.bin')
    await writeFile(path, bytes)
    const sources = {
      path,
      blob: new Blob([bytes]),
      bytes,
      web: new Blob([bytes]).stream(),
      // It has a method `open` of its own, as a `Source` has.
      file: createReadStream(path),
      iterable: (async function* () {
        yield bytes.subarray(0, 10)
        yield bytes.subarray(10)
      })(),
    }
    for (const [version, source] of Object.entries(sources)) {
      const { entry, created } = await bucket.put(`b/a/${version}`, source, {
        uploadedBy: 'cluster 5',
        provenanceSource: 'run-47',
        contentType: 'application/x-model',
      })
      expect(created).toBe(true)
      expect(entry).toMatchObject({
        digest: sha256(bytes),
        size: bytes.byteLength,
        uploadedBy: 'cluster 5',
        provenanceSource: 'run-47',
        contentType: 'application/x-model',
      })
      expect((await front.bytesOf(`b/a/${version}`))?.equals(bytes)).toBe(true)
    }
  })

  it('survives an outage of more attempts than a request has, once a large body is under way', async () => {
    const bytes = someBytes(4_000_000)
    let failures = 0
    front.misbehave = (request, response) => {
      if (request.method !== 'PUT' || failures >= 20) return false
      failures += 1
      let received = 0
      response.writeContinue()
      request.on('data', (chunk: Buffer) => {
        received += chunk.byteLength
        if (received > 2_000_000 || failures > 1) request.socket.destroy()
      })
      return true
    }
    expect((await bucket.put(REF, bytes)).created).toBe(true)
    expect(failures).toBe(20)
    expect((await front.bytesOf(REF))?.equals(bytes)).toBe(true)
  })

  it('repeats a large body without Expect if something on the way does not know that', async () => {
    const bytes = someBytes(2_000_000)
    front.misbehave = ({ headers }, response) => {
      if (headers.expect === undefined) return false
      response.writeHead(417, { 'content-length': '0' }).end()
      return true
    }
    expect((await bucket.put(REF, bytes)).created).toBe(true)
    expect(bodies().map(({ headers }) => headers.expect)).toEqual(['100-continue', undefined])
    expect((await front.bytesOf(REF))?.equals(bytes)).toBe(true)
  })

  it.each([
    ['in a short body', 10],
    ['in a long body', 3_000_000],
    ['in parts', 6_000_000],
  ])('restores a lost blob %s, and says so', async (how, size) => {
    if (how === 'in parts') {
      Object.assign(front.stores, { maxInlineBytes: 5_000_000 })
      front.mode = 'multipart'
    }
    const bytes = someBytes(size)
    const { entry } = await bucket.put(REF, bytes)
    front.stores.blobs.lose(entry)
    expect(await bucket.put(REF, bytes)).toEqual({ entry, created: false, restored: true })
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
    front.stores.blobs.lose(entry)
    expect(await bucket.ensure(REF, bytes, { digest: entry.digest })).toBe('restored')
    expect(await bucket.put(REF, bytes)).toEqual({ entry, created: false, restored: false })
    expect((await buffer(await bucket.get(REF))).equals(bytes)).toBe(true)
  })

  it('stores zero bytes', async () => {
    expect(await bucket.put(REF, new Uint8Array())).toMatchObject({ created: true, entry: { size: 0 } })
  })

  it('treats identical stored bytes as success, without sending large ones', async () => {
    for (const size of [10, 3_000_000]) {
      const bytes = someBytes(size)
      const ref = `b/a/${size}`
      expect((await bucket.put(ref, bytes)).created).toBe(true)
      front.received.length = 0
      expect(await bucket.put(ref, bytes)).toMatchObject({ created: false, entry: { digest: sha256(bytes) } })
      expect(bodies()).toHaveLength(size === 10 ? 1 : 0)
    }
  })

  it('refuses other bytes with the stored entry, large or small', async () => {
    const entry = front.put(REF, Buffer.from('first'))
    for (const bytes of [Buffer.from('other'), someBytes(3_000_000)])
      await expect(bucket.put(REF, bytes)).rejects.toMatchObject({
        code: 'version_exists',
        details: { conflict: 'different', declaredDigest: sha256(bytes), stored: { digest: entry.digest } },
      })
  })

  it.each<[string, Record<string, string>]>([
    ['another digest', { digest: sha256(Buffer.from('other')) }],
    ['another version', { version: 'other' }],
    ['a malformed identifier', { version: '../v' }],
  ])('does not believe an entry with %s', async (_, members) => {
    const bytes = someBytes(10)
    // The first put is created, the second one finds the version.
    for (const damage of [
      withMembers(members),
      withMembers(({ stored }) => ({ stored: { ...(stored as object), ...members } })),
    ]) {
      front.misbehave = () => damage
      await expect(bucket.put(REF, bytes)).rejects.toMatchObject({ kind: 'unexpected_response' })
    }
  })

  it('repeats a body that was cut off, and one that got 503', async () => {
    const bytes = someBytes(3_000_000)
    const failures = ['cut', 'busy']
    front.misbehave = (request, response) => {
      if (request.method !== 'PUT') return false
      const failure = failures.shift()
      if (failure === 'cut') {
        response.writeContinue()
        request.once('data', () => request.socket.destroy())
        return true
      }
      return failure === 'busy' && sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    }
    expect((await bucket.put(REF, bytes)).created).toBe(true)
    expect((await front.bytesOf(REF))?.equals(bytes)).toBe(true)
  })

  it('does not retry a refusal, and keeps its code, members and request id', async () => {
    front.misbehave = (request, response) =>
      request.method === 'PUT' && sendProblem(response, 'insufficient_storage')
    await expect(bucket.put(REF, someBytes(10))).rejects.toMatchObject({
      code: 'insufficient_storage',
      requestId: 'r-1',
    })
    expect(bodies()).toHaveLength(1)
  })

  it('reports invalid options before a byte is read', async () => {
    Object.assign(front.stores, { maxArtifactBytes: 6_000_000, maxInlineBytes: 5_000_000 })
    await expect(bucket.put(REF, someBytes(6_000_001))).rejects.toMatchObject({
      code: 'artifact_too_large',
      details: { size: 6_000_001, maxArtifactBytes: 6_000_000 },
    })
    await expect(bucket.put('only/two', new Uint8Array())).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(
      bucket.put(REF, new Uint8Array(), { uploadedBy: 'ü', provenanceSource: '' }),
    ).rejects.toMatchObject({ code: 'invalid_request', details: { errors: [{}, {}] } })
    expect(bodies()).toHaveLength(0)
  })

  it.each(['put', 'ensure'] as const)(
    '%s rejects with the error of a stream that fails before it is read',
    async (call) => {
      const missing = () => createReadStream(join(folder, 'missing'))
      await expect(bucket[call](REF, missing(), { digest: sha256(Buffer.from('x')) })).rejects.toMatchObject({
        code: 'ENOENT',
      })
      await expect(bucket[call]('only/two', missing())).rejects.toMatchObject({ code: 'invalid_request' })
    },
  )

  it.each([
    ['printf', 'hey'],
    ['head', '-c', '50000', '/dev/zero'],
  ])(
    'stores what a child process has written that ends before its output is read: %s',
    async (command, ...args) => {
      const { stdout } = spawn(command, args)
      const { entry } = await bucket.put(REF, stdout)
      expect(entry.size).toBe(Number(args[1] ?? args[0]?.length))
    },
  )

  it('refuses a stream whose bytes are gone', async () => {
    const read = Readable.from([Buffer.from('bytes')])
    for await (const _ of read);
    const closed = new PassThrough().destroy()
    await once(closed, 'close')
    for (const stream of [read, closed])
      await expect(bucket.put(REF, stream)).rejects.toThrow('was read to its end or closed before')
    expect(bodies()).toHaveLength(0)
  })

  it('stops copying a stream without end at the limit of the deployment', async () => {
    Object.assign(front.stores, { maxArtifactBytes: 65 * 1024 ** 2 })
    let chunks = 0
    async function* endless() {
      for (const chunk = new Uint8Array(1024 ** 2); ; chunks++) yield chunk
    }
    await expect(bucket.put(REF, endless())).rejects.toMatchObject({
      code: 'artifact_too_large',
      details: { maxArtifactBytes: 65 * 1024 ** 2 },
    })
    expect(chunks).toBe(65)
  })

  it('copies a stream to its end while the service does not say its limit', async () => {
    let asked = 0
    let copied = false
    front.misbehave = (request, response) => {
      if (copied || request.url !== '/v1') return false
      asked++
      return sendProblem(response, 'unavailable')
    }
    async function* stream() {
      for (let chunk = 0; chunk < 66; chunk++) yield new Uint8Array(1024 ** 2)
      copied = true
    }
    expect((await bucket.put(REF, stream())).created).toBe(true)
    expect(asked).toBeGreaterThan(0)
  })

  it('refuses a stream of text, which is other bytes than those of its file', async () => {
    const path = join(folder, 'weights.bin')
    await writeFile(path, Buffer.from([0xff, 0xfe, 0, 1]))
    for (const stream of [
      createReadStream(path, 'utf8'),
      new Blob(['text']).stream().pipeThrough(new TextDecoderStream()),
    ])
      await expect(bucket.put(REF, stream as never)).rejects.toThrow(
        new TypeError('the stream gives string values, not bytes: open it without an encoding'),
      )
    expect(front.entries()).toEqual([])
  })

  it('stores the bytes of a stream of buffers and of any views, without their surroundings', async () => {
    const memory = Uint8Array.from({ length: 12 }, (_, at) => at).buffer
    const chunks = [
      memory,
      new DataView(memory, 3, 4),
      new Uint16Array(memory, 2, 3),
      new Uint8Array(memory, 11),
      new ArrayBuffer(0),
    ]
    const bytes = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 3, 4, 5, 6, 2, 3, 4, 5, 6, 7, 11])
    const streams = { web: ReadableStream.from(chunks), iterable: Readable.from(chunks) }
    for (const [version, stream] of Object.entries(streams)) {
      await bucket.put(`b/a/${version}`, stream)
      expect(await front.bytesOf(`b/a/${version}`)).toEqual(bytes)
    }
    const path = join(folder, 'model.bin')
    await writeFile(path, bytes)
    const file = await open(path)
    await bucket.put('b/a/file', file.readableWebStream())
    await file.close()
    expect(await front.bytesOf('b/a/file')).toEqual(bytes)
  })

  it.each([
    ['null', null],
    ['number', 5],
    ['object', { a: 1 }],
    ['object', [1, 2]],
  ])('refuses a stream of %s values', async (kind, value) => {
    const stream = (async function* () {
      yield value
    })()
    await expect(bucket.put(REF, stream as never)).rejects.toThrow(
      new TypeError(`the stream gives ${kind} values, not bytes`),
    )
    expect(front.entries()).toEqual([])
  })

  it.each([[5], [undefined], [null], [['a', 'b']], [new ArrayBuffer(4)], [{}]])(
    'refuses %s, and says what a source can be',
    async (given) => {
      for (const call of ['put', 'ensure'] as const)
        await expect(bucket[call](REF, given as never)).rejects.toThrow(
          /^(?:Number|Undefined|Null|Array|ArrayBuffer|Object) is not a source of bytes: give .*a path$/,
        )
      expect(front.received).toEqual([])
    },
  )

  it('detects a file that changes between hashing and sending, and stores nothing', async () => {
    const path = join(folder, 'log')
    await writeFile(path, someBytes(3_000_000))
    let grown: Promise<void> | undefined
    const onProgress = ({ phase }: Progress) => {
      if (phase === 'uploading') grown ??= appendFile(path, 'more')
    }
    await expect(bucket.put(REF, path, { onProgress })).rejects.toMatchObject({ name: 'SourceChangedError' })
    await grown
    expect(front.entries()).toEqual([])
  })

  it('reports its phases in order, and ends with the last byte', async () => {
    const told: Progress[] = []
    await bucket.put(REF, someBytes(3_000_000), { onProgress: (progress) => told.push(progress) })
    expect([...new Set(told.map(({ phase }) => phase))]).toEqual([
      'hashing',
      'uploading',
      'verifying',
      'committed',
    ])
    expect(told.at(-1)).toEqual({ phase: 'committed', bytes: 3_000_000, total: 3_000_000 })
  })

  it('stops when its signal aborts, and leaves no spooled stream behind', async () => {
    const given = new AbortController()
    // Other programs make folders with longer names.
    const spooled = async () => (await readdir(tmpdir())).filter((name) => /^bucket-\w{6}$/.test(name))
    const before = await spooled()
    const endless = (async function* () {
      for (let chunk = 0; ; chunk++) {
        if (chunk === 3) given.abort(new Error('enough'))
        yield new Uint8Array(1000)
      }
    })()
    await expect(bucket.put(REF, endless, { signal: given.signal })).rejects.toThrow('enough')
    const after = await spooled()
    expect(after.filter((name) => !before.includes(name))).toEqual([])
  })

  it('stops when its signal aborts, even while the stream stalls', async () => {
    const silent = [new ReadableStream<Uint8Array>(), new PassThrough()]
    for (const stream of silent) {
      const given = new AbortController()
      const putting = bucket.put(REF, stream, { signal: given.signal })
      setImmediate(() => given.abort(new Error('enough')))
      await expect(putting).rejects.toThrow('enough')
    }
  })

  it('stops when its signal aborts, even while the service document is outstanding', async () => {
    const asked = new Promise<IncomingMessage>((resolve) => {
      front.misbehave = (request) => {
        resolve(request)
        return request.url === '/v1'
      }
    })
    const given = new AbortController()
    const putting = bucket.put(REF, someBytes(5_000_000), { signal: given.signal })
    const { socket } = await asked
    const closed = once(socket, 'close')
    given.abort(new Error('enough'))
    // Not with the timeout that the silence would end in.
    await expect(putting).rejects.toThrow('enough')
    await closed
  })

  it('continues when a concurrent put is aborted, and reads the service document once', async () => {
    const given = new AbortController()
    let isSilent = true
    front.misbehave = (request) => isSilent && request.url === '/v1'
    const stopped = bucket.put('b/a/stopped', someBytes(5_000_000), { signal: given.signal })
    await expect.poll(() => front.received.length).toBe(1)
    isSilent = false
    const other = bucket.put('b/a/other', someBytes(5_000_000))
    given.abort(new Error('enough'))
    await expect(stopped).rejects.toThrow('enough')
    expect((await other).created).toBe(true)
    const asked = () => front.received.filter(({ url }) => url === '/v1').length
    const before = asked()
    expect((await bucket.put('b/a/later', someBytes(5_000_000))).created).toBe(true)
    expect(asked()).toBe(before)
  })

  it('stops in the middle of sending when its signal aborts', async () => {
    const given = new AbortController()
    front.misbehave = (request, response) => {
      if (request.method !== 'PUT') return false
      response.writeContinue()
      request.once('data', () => given.abort(new Error('enough')))
      return true
    }
    await expect(bucket.put(REF, someBytes(3_000_000), { signal: given.signal })).rejects.toThrow('enough')
  })

  it('reports an unreadable path', async () => {
    await expect(bucket.put(REF, join(folder, 'absent'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(bucket.put(REF, folder)).rejects.toMatchObject({ code: 'EISDIR' })
    expect(front.received).toHaveLength(0)
  })
})
