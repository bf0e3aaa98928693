/** A platform for which the lock addon has no prebuilt file, such as Alpine Linux: the server says so, and makes nothing. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFolder } from '../../../lib/local/folder.ts'
import { BUCKET } from '../../support/program.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-locks-'))
  // Fails as the package does on such a platform.
  writeFileSync(
    join(folder, 'no-addon.cjs'),
    `const Module = require('node:module')
    const load = Module._load
    Module._load = function (request, ...rest) {
      if (request === 'fs-native-extensions') throw new Error("Cannot find addon '.' imported from 'binding.js'")
      return load.call(this, request, ...rest)
    }`,
  )
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('without the lock addon', { timeout: 60_000 }, () => {
  it.each([
    ['serve', ['serve', '--port', '0', '--data-dir']],
    ['fsck', ['fsck', '--data-dir']],
  ])('`bucket %s` says why it refuses the folder, and what to run instead', async (_, args) => {
    const dataDir = join(folder, 'data')
    if (args[0] === 'fsck') await (await openFolder(dataDir)).close()
    const ran = spawnSync(
      process.execPath,
      ['--require', join(folder, 'no-addon.cjs'), ...BUCKET, ...args, dataDir],
      { encoding: 'utf8' },
    )
    expect([ran.status, ran.stdout]).toEqual([1, ''])
    expect(ran.stderr).toContain(
      `file locks do not work on this system (${process.platform}, ${process.arch})`,
    )
    expect(ran.stderr).toContain('two servers could write to one folder')
    expect(ran.stderr).toContain('node:22-slim instead of node:22-alpine')
    if (args[0] === 'serve') expect(readdirSync(dataDir)).toEqual(['lock'])
  })
})
