/** Files whose content does not match their reported size, and values that are not streams. */
import { createReadStream } from 'node:fs'
import { appendFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stdinStream } from '../../../lib/cli/stdin-stream.ts'
import { fileSource, handleSource } from '../../../lib/client/node/file-source.ts'
import { someBytes } from '../../support/random-bytes.ts'

/** The system makes its bytes when they are read, and says that it has none. */
const GENERATED = '/proc/version'
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-source-'))
})
afterEach(async () => await rm(folder, { recursive: true }))

const source = (path: string) => fileSource(path)
const bytesOf = async (chunks: AsyncIterable<Uint8Array>) => await buffer(Readable.from(chunks))

describe('a file', () => {
  it.runIf(process.platform === 'linux')(
    'that reports size 0 and is not empty is read like a stream',
    async () => {
      const generated = await source(GENERATED)
      const expected = await readFile(GENERATED)
      expect(generated.size).toBe(expected.byteLength)
      expect((await bytesOf(generated.open())).equals(expected)).toBe(true)
      await generated.dispose()
    },
  )

  it('that is empty is stored as empty', async () => {
    const path = join(folder, 'empty')
    await writeFile(path, '')
    const empty = await source(path)
    expect(empty).toMatchObject({ size: 0 })
    expect((await bytesOf(empty.open())).byteLength).toBe(0)
    await empty.dispose()
  })

  it('is lent in two buffers that hold its chunks in turn', async () => {
    const path = join(folder, 'large')
    const bytes = someBytes(3_000_001)
    await writeFile(path, bytes)
    const large = await source(path)
    for (const [start, end] of [
      [0, bytes.byteLength],
      [100, 2_000_000],
      [7, 7],
    ] as const) {
      const buffers = new Set<ArrayBufferLike>()
      const copies: Buffer[] = []
      for await (const chunk of large.lend?.(start, end) ?? []) {
        buffers.add(chunk.buffer)
        copies.push(Buffer.from(chunk))
      }
      expect(buffers.size).toBe(start === end ? 0 : 2)
      expect(Buffer.concat(copies).equals(bytes.subarray(start, end))).toBe(true)
    }
    await large.dispose()
  })

  it('that is opened gives each chunk memory of its own', async () => {
    const path = join(folder, 'large')
    const bytes = someBytes(3_000_001)
    await writeFile(path, bytes)
    const large = await source(path)
    const chunks: Uint8Array[] = []
    for await (const chunk of large.open()) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    await large.dispose()
  })

  it.each([0, 10])(
    'of %i bytes that has more bytes than its size is refused, for any reported size',
    async (size) => {
      const path = join(folder, 'growing')
      await writeFile(path, Buffer.alloc(size))
      const handle = await open(path)
      const before = await handle.stat({ bigint: true })
      // A file system that keeps reporting the first size, as some virtual ones do.
      const stat = async () => before
      const stale = new Proxy(handle, {
        get: (target, name) => (name === 'stat' ? stat : Reflect.get(target, name).bind(target)),
      })
      const growing = await handleSource(stale, path, () => handle.close())
      await appendFile(path, 'more')
      await expect(bytesOf(growing.open())).rejects.toMatchObject({ name: 'SourceChangedError' })
      await expect(bytesOf(growing.lend?.() ?? growing.open())).rejects.toMatchObject({
        name: 'SourceChangedError',
      })
      await growing.dispose()
    },
  )
})

describe('stdin', () => {
  /** What Node makes of a descriptor that it has no stream for: nothing, at once. */
  const dummy = (fd: number) => Object.assign(Readable.from([]), { fd })

  it('that is a folder is a system error, not an empty stream', async () => {
    const handle = await open(folder)
    await expect(bytesOf(stdinStream(dummy(handle.fd)))).rejects.toMatchObject({ code: 'EISDIR' })
    await handle.close()
  })

  it('that is a file, or closed, is read as such', async () => {
    const path = join(folder, 'file')
    await writeFile(path, 'bytes')
    expect(String(await bytesOf(stdinStream(createReadStream(path))))).toBe('bytes')
    expect(String(await bytesOf(stdinStream(Readable.from([Buffer.from('piped')]))))).toBe('piped')
    const handle = await open(path)
    const known = Object.assign(Readable.from([Buffer.from('known')]), { fd: handle.fd })
    expect(String(await bytesOf(stdinStream(known)))).toBe('known')
    await handle.close()
  })
})
