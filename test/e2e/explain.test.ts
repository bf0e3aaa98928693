/** `bucket put --explain`: sh and curl run the printed script against a real server. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BucketClient } from '../../lib/client/node.ts'
import { MIB } from '../../lib/domain/limits.ts'
import { startFront } from '../support/client-front.ts'
import { sha256, someBytes } from '../support/random-bytes.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'
import { bucket } from '../unit/cli/command-line.ts'

const run = promisify(execFile)

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

let folder: string
let server: Served
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-explain-'))
  server = await serveFolder(join(folder, 'data'))
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true })
})

/** A script for a file whose name a shell would read otherwise. */
async function scriptOf(ref: string, bytes: Uint8Array, url: string, ...options: string[]) {
  const path = join(folder, `it's $(touch harm) "${bytes.byteLength}"`)
  await mkdir(folder, { recursive: true })
  await writeFile(path, bytes)
  const explained = await bucket(['put', ref, path, '--explain', ...options], { url })
  expect(explained).toMatchObject({ exit: 0 })
  return explained.stdout
}
const sh = (script: string) => run('sh', ['-c', script], { cwd: folder, maxBuffer: MIB })

describe.skipIf(!hasCurl())('the script of bucket put --explain', { timeout: 120_000 }, () => {
  it('stores a small file in one request, with its description, and may be repeated', async () => {
    const bytes = someBytes(100_000)
    const options = ['--uploaded-by', "it's me", '--content-type', 'text/plain']
    const script = await scriptOf('b/inline/v', bytes, server.url, ...options)
    const { stdout } = await sh(script)
    expect(JSON.parse(stdout)).toMatchObject({
      digest: sha256(bytes),
      uploaded_by: "it's me",
      content_type: 'text/plain',
    })
    await sh(script)
    expect(
      await new BucketClient({ url: server.url }).check([{ ref: 'b/inline/v', digest: sha256(bytes) }]),
    ).toMatchObject([{ state: 'identical' }])
  })

  it('stores a large file in parts, and sends no part twice', async () => {
    const bytes = someBytes(70 * MIB)
    const script = await scriptOf('b/parts/v', bytes, server.url)
    const parts = () =>
      server
        .log()
        .split('\n')
        .filter((line) => line.includes('"operation":"blob","method":"PUT"')).length
    // Ends before the commit.
    await sh(script.slice(0, script.indexOf('# Commit')))
    // The server writes its log in batches.
    await expect.poll(parts).toBe(5)
    const { stdout } = await sh(script)
    expect(JSON.parse(stdout)).toMatchObject({ digest: sha256(bytes), size: bytes.byteLength })
    await sh(script)
    await expect.poll(() => server.log()).toMatch(/"operation":"commitUpload"/)
    expect(parts()).toBe(5)
  })

  it('is refused with the reason if the version has other bytes', async () => {
    const script = await scriptOf('b/taken/v', someBytes(10), server.url)
    await new BucketClient({ url: server.url }).put('b/taken/v', new TextEncoder().encode('other'))
    const failed = await sh(script).catch((error) => error)
    expect(failed).toMatchObject({ code: 1 })
    expect(failed.stdout).toContain('"conflict":"different"')
  })

  it('uploads in one piece if the server takes small bodies only', async () => {
    const front = await startFront()
    try {
      front.stores.maxInlineBytes = MIB
      const bytes = someBytes(6 * MIB)
      const script = await scriptOf('b/single/v', bytes, front.url)
      const { stdout } = await sh(script)
      expect(JSON.parse(stdout)).toMatchObject({ digest: sha256(bytes) })
      expect((await front.bytesOf('b/single/v'))?.equals(bytes)).toBe(true)
      expect(front.store.received).toHaveLength(1)
      await sh(script)
    } finally {
      await front.close()
    }
  })

  it('takes secrets from the environment of the host that runs it', async () => {
    const environment = { BUCKET_TOKEN: 'hush', BUCKET_API_KEY: 'hush' }
    const path = join(folder, 'file')
    await writeFile(path, 'x')
    const { stdout } = await bucket(['put', 'b/a/v', path, '--explain', '--auth', 'bearer'], {
      url: server.url,
      environment,
    })
    expect(stdout).toContain('-H "Authorization: Bearer $BUCKET_TOKEN" -H "X-Api-Key: $BUCKET_API_KEY"')
    expect(stdout).not.toContain('hush')
  })

  it('needs one file that is there', async () => {
    for (const files of [['-'], ['a', 'b'], ['missing']])
      expect((await bucket(['put', 'b/a', ...files, '--explain'], { url: server.url })).exit).toBe(2)
  })
})
