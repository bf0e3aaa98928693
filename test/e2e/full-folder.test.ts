/** A data folder without space. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FolderUnderTest, LARGE } from './folder-under-test.ts'

let folder: FolderUnderTest
beforeEach(() => {
  folder = new FolderUnderTest()
})
afterEach(() => folder.remove())

describe('an artifact that does not fit', { timeout: 60_000 }, () => {
  it('is refused with 507 before its body is sent', async (context) => {
    mkdirSync(folder.dataDir)
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder.dataDir])
    context.skip(mount.status !== 0, 'a file system cannot be mounted here')
    try {
      await folder.startProcess()
      // A sparse file, which takes no space itself.
      const large = folder.outside('large')
      writeFileSync(large, '')
      truncateSync(large, 4_000_000_000)
      const answer = spawnSync('curl', [
        ...['-sv', '-X', 'PUT', '--expect100-timeout', '30', '-H', 'Expect: 100-continue'],
        ...['-H', `X-Artifact-Digest: sha256:${'0'.repeat(64)}`],
        ...['-T', large, folder.urlOf('v')],
      ])
      expect(String(answer.stderr)).toContain('HTTP/1.1 507')
      expect(String(answer.stderr)).not.toContain('HTTP/1.1 100')
      const begin = await fetch(`${folder.urlOf('v')}/uploads/sha256:${'0'.repeat(64)}`, {
        method: 'PUT',
        body: JSON.stringify({ size: 4_000_000_000 }),
        headers: { 'Content-Type': 'application/json' },
      })
      expect(begin.status).toBe(507)
      expect((await folder.store('fits', LARGE)).status).toBe(201)
      await folder.stop()
    } finally {
      await folder.kill()
      execFileSync('umount', [folder.dataDir])
    }
  })

  it.runIf(process.platform === 'linux')('asks for no retry if no file can be that large', async () => {
    await folder.startWithin('-f 8192')
    const { status, body } = await folder.store('large', Buffer.alloc(20_000_000))
    expect([status, JSON.parse(body)]).toMatchObject([503, { retryable: false }])
    expect((await folder.store('fits', LARGE)).status).toBe(201)
    await folder.stop()
  })
})
