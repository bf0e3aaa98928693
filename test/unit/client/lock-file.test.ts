import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addToLockFile, checkLockFile, lockedRef, parseRef, readLockFile } from '../../../lib/client/node.ts'
import { digestFromHex } from '../../../lib/domain/digest.ts'

const A = digestFromHex('a'.repeat(64))
const B = digestFromHex('b'.repeat(64))
let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-file-'))
  path = join(folder, 'bucket.lock')
})
afterEach(async () => await rm(folder, { recursive: true }))
const refused = (code: string) => expect.objectContaining({ name: 'LockFileError', code })

describe('a lock file', () => {
  it('gets sorted lines, each ref once', async () => {
    await addToLockFile(path, parseRef('demo/model/v2'), { digest: B, size: 20 })
    await addToLockFile(path, parseRef('demo/model/V1'), { digest: A, size: 0 })
    await addToLockFile(path, parseRef('demo/model/V1'), { digest: A, size: 0 })
    expect(await readFile(path, 'utf8')).toBe(
      `# bucket-lock 1\ndemo/model/V1@${A} 0\ndemo/model/v2@${B} 20\n`,
    )
    expect(await readdir(folder)).toEqual(['bucket.lock'])
  })

  it('never changes a line', async () => {
    await addToLockFile(path, parseRef('b/a/v'), { digest: A, size: 1 })
    const before = await readFile(path, 'utf8')
    await expect(addToLockFile(path, parseRef('b/a/v'), { digest: B, size: 1 })).rejects.toEqual(
      refused('lock_differs'),
    )
    expect(await readFile(path, 'utf8')).toBe(before)
    expect(await readdir(folder)).toEqual(['bucket.lock'])
  })

  it('keeps every ref of writers at the same time', async () => {
    const refs = Array.from({ length: 10 }, (_, at) => parseRef(`b/a/v${at}`))
    await Promise.all(refs.map((ref) => addToLockFile(path, ref, { digest: A, size: 1 })))
    expect((await readLockFile(path)).size).toBe(10)
  })

  it('accepts what a merge leaves: other orders, repeated lines, empty lines, CRLF', async () => {
    await writeFile(path, `# bucket-lock 1\r\nb/z/v@${A} 1\n\nb/a/v@${B} 2\nb/z/v@${A} 1\n`)
    expect([...(await readLockFile(path)).keys()]).toEqual(['b/z/v', 'b/a/v'])
  })

  it.each([
    ['another first line', '# bucket-lock 2\n', 1],
    ['two digests of one ref', `# bucket-lock 1\nb/a/v@${A} 1\nb/a/v@${B} 1\n`, 3],
    ['two sizes of one ref', `# bucket-lock 1\nb/a/v@${A} 1\nb/a/v@${A} 2\n`, 3],
    ['a conflict marker', `# bucket-lock 1\n<<<<<<< HEAD\nb/a/v@${A} 1\n`, 2],
    ['a size with a leading zero', `# bucket-lock 1\nb/a/v@${A} 01\n`, 2],
    ['an invalid ref', `# bucket-lock 1\nb/a@${A} 1\n`, 2],
  ])('with %s is refused with the number of the line', async (_, text, line) => {
    await writeFile(path, text)
    await expect(readLockFile(path)).rejects.toEqual(refused('lock_invalid'))
    await expect(readLockFile(path)).rejects.toThrow(`bucket.lock:${line} `)
  })

  it('tells before a store whether a line can be added, and is left as it was', async () => {
    const ref = parseRef('b/a/v')
    await checkLockFile(path)
    expect(await readdir(folder)).toEqual([])
    await addToLockFile(path, ref, { digest: A, size: 1 })
    await checkLockFile(path, ref, { digest: A, size: 1 })
    await expect(checkLockFile(path, ref, { digest: B, size: 1 })).rejects.toEqual(refused('lock_differs'))
    await expect(checkLockFile(path, ref, { digest: A, size: 2 })).rejects.toEqual(refused('lock_differs'))
    const elsewhere = join(folder, 'absent', 'bucket.lock')
    await expect(checkLockFile(elsewhere)).rejects.toMatchObject({ code: 'ENOENT', path: elsewhere })
    await writeFile(path, 'garbage')
    await expect(checkLockFile(path)).rejects.toEqual(refused('lock_invalid'))
    expect(await readdir(folder)).toEqual(['bucket.lock'])
  })

  it('returns the locked digest, and refuses another digest or an unlisted ref', async () => {
    await addToLockFile(path, parseRef('b/a/v'), { digest: A, size: 1 })
    expect(await lockedRef(path, parseRef('b/a/v'), undefined)).toEqual({ digest: A, size: 1 })
    await expect(lockedRef(path, parseRef('b/a/v'), B)).rejects.toEqual(refused('lock_differs'))
    await expect(lockedRef(path, parseRef('b/a/w'), undefined)).rejects.toEqual(refused('not_locked'))
  })
})
