/** `bucket backup`, `restore`, `ls` and `erase` with arguments that cannot be right: each says what is wrong, and touches nothing. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFolder } from '../../../lib/local/folder.ts'
import { bucket } from './command-line.ts'

let root: string
const inside = (name: string) => join(root, name)
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'bucket-owner-'))
  await (await openFolder(inside('data'))).close()
  writeFileSync(inside('file'), 'x')
  mkdirSync(inside('empty'))
  mkdirSync(inside('other'))
  writeFileSync(inside('other/thesis.txt'), 'years of work')
  symlinkSync(inside('data'), inside('link'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** `*name` stands for a path in the test's folder. */
const run = (line: string) =>
  bucket(line.split(' ').map((word) => (word === "''" ? '' : word.replace(/^\*/, `${root}/`))))

describe('a command of the owner of a folder', () => {
  it.each([
    [
      'restore *absent --data-dir *new',
      2,
      'the folder "*absent" does not exist',
      'that `bucket backup` made',
    ],
    ['restore *file --data-dir *new', 2, '"*file" is a file', 'that `bucket backup` made'],
    ['restore *file/x --data-dir *new', 2, 'does not exist', 'that `bucket backup` made'],
    ["restore '' --data-dir *new", 2, 'the folder "" does not exist', 'that `bucket backup` made'],
    ['restore *empty --data-dir *new', 2, "isn't a Bucket folder", 'of a server or a backup'],
    ['restore *data --data-dir *file', 2, '*file is not a folder', 'Name a folder'],
    ['restore *data --data-dir *data', 2, 'is the folder that is to be copied', 'somewhere else'],
    ['restore *data --data-dir *link', 2, 'is the folder that is to be copied', 'somewhere else'],
    ['restore *data --data-dir *other', 2, 'it holds "thesis.txt"', 'Name an empty folder'],
    ['backup *copy --data-dir *absent', 2, 'does not exist', '--data-dir'],
    ["backup '' --data-dir *data", 2, 'the name of the copy is empty', 'Name a folder'],
    ['backup *data/copy --data-dir *data', 2, 'lie within one another', 'somewhere else'],
    ['backup *link/copy --data-dir *data', 2, 'lie within one another', 'somewhere else'],
    ['backup *file/x --data-dir *data', 2, 'not a directory', 'Check the path'],
    ['ls --data-dir *empty', 2, "isn't a Bucket folder", 'of a server or a backup'],
    ['erase b/a --data-dir *data', 2, 'has 2 parts', 'bucket_id/artifact_id/version'],
    ['erase b/a/v --data-dir *absent', 2, 'does not exist', '--data-dir'],
    ['fsck --data-dir *file', 2, 'is a file', '--data-dir'],
    ['fsck --data-dir *file/x', 2, 'does not exist', '--data-dir'],
    ['fsck --discard-damage --data-dir *empty', 2, "isn't a Bucket folder", 'of a server or a backup'],
  ])('`%s` says what is wrong and what to do', async (line, exit, why, next) => {
    const before = readdirSync(root, { recursive: true })
    const ran = await run(line)
    expect(ran.exit, ran.stderr).toBe(exit)
    expect(ran.stderr).toContain(why.replace('*', `${root}/`))
    expect(ran.stderr.split('next:')[1]).toContain(next)
    expect(readdirSync(root, { recursive: true })).toEqual(before)
  })

  it.each(['fsck', 'ls', 'backup *copy'])(
    '`%s` tells a folder that lost its format file from any other',
    async (command) => {
      rmSync(inside('data/format'))
      const ran = await run(`${command} --data-dir *data`)
      expect([ran.exit, ran.stderr]).toEqual([5, expect.stringContaining('it has lost its "format" file')])
    },
  )
})
