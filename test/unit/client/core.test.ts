import { build } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/index.ts'
import { type ClientFront, sendProblem, startFront } from '../../support/client-front.ts'
import { someBytes } from '../../support/random-bytes.ts'

let front: ClientFront
let bucket: BucketClient
beforeEach(async () => {
  front = await startFront()
  bucket = new BucketClient({
    url: front.url,
    retry: { baseMs: 1, attempts: 2 },
    timeouts: { idleMs: 2_000 },
  })
})
afterEach(async () => await front.close())

describe('the browser client', () => {
  it('imports nothing from Node', async () => {
    const { metafile } = await build({
      entryPoints: ['lib/client/index.ts'],
      bundle: true,
      platform: 'browser',
      format: 'esm',
      write: false,
      outdir: 'unwritten',
      metafile: true,
    })
    const inputs = Object.keys(metafile.inputs)
    expect(inputs.filter((path) => /^node:|aws-sdk|zod/.test(path))).toEqual([])
    expect(inputs).toContain('lib/client/browser/fetch-transport.ts')
  })

  it('stores bytes, a Blob and a stream, and fetches through the download resource', async () => {
    const bytes = someBytes(3_000_000)
    const sources = { bytes, blob: new Blob([bytes]), stream: new Blob([bytes]).stream() }
    for (const [version, source] of Object.entries(sources)) {
      expect((await bucket.put(`b/a/${version}`, source)).created).toBe(true)
      const fetched = await new Response(await bucket.get(`b/a/${version}`)).arrayBuffer()
      expect(bytes.equals(new Uint8Array(fetched))).toBe(true)
    }
    expect(front.received.filter(({ url }) => url.includes('/download'))).toHaveLength(3)
  })

  it('sends a large Blob in parts, each a slice of it', async () => {
    Object.assign(front.stores, { maxArtifactBytes: 64 * 1024 ** 2, maxInlineBytes: 1024 ** 2 })
    front.mode = 'multipart'
    const bytes = someBytes(17 * 1024 ** 2)
    expect((await bucket.put('b/a/large', new Blob([bytes]))).created).toBe(true)
    expect(front.acknowledged().toSorted()).toEqual([1, 2])
    expect((await front.bytesOf('b/a/large'))?.equals(bytes)).toBe(true)
  })

  it('reports refusals, timeouts, and connection failures', async () => {
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ code: 'version_not_found' })
    front.misbehave = (_, response) => sendProblem(response, 'forbidden')
    await expect(bucket.put('b/a/v', new Uint8Array(1))).rejects.toMatchObject({ code: 'forbidden' })
    front.misbehave = () => true
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ kind: 'stalled' })
    front.misbehave = (request) => {
      request.socket.destroy()
      return true
    }
    await expect(bucket.entry('b/a/v')).rejects.toMatchObject({ name: 'NetworkError' })
  })

  it('stops when its signal aborts', async () => {
    const given = new AbortController()
    front.misbehave = () => {
      given.abort(new Error('enough'))
      return true
    }
    await expect(bucket.entry('b/a/v', { signal: given.signal })).rejects.toThrow('enough')
  })
})
