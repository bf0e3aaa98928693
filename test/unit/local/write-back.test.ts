/** A large file is synced while it arrives. A disk that fails at any of these syncs refuses the file. strace makes the calls fail. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BundledProgram, bundledProgram } from '../../support/bundled-program.ts'
import { cannotTrace } from '../../support/system-calls.ts'

/** Writes 80 MiB, which are synced after 32 MiB, after 64 MiB and at the end. */
const WRITER = `
  import { writeTemporary } from './lib/local/temporary.ts'
  const block = new Uint8Array(512 * 1024)
  async function* bytes() { for (let at = 0; at < 160; at += 1) yield block }
  const outcome = await writeTemporary(process.argv[2], bytes(), undefined).then(
    () => 'written',
    ({ code }) => code,
  )
  console.log(outcome)`

let program: BundledProgram
beforeAll(async () => {
  program = await bundledProgram(WRITER)
})
afterAll(() => program.remove())

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-write-back-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** @returns what the writer is told. */
function writeWhile(failure: string): string {
  const path = join(folder, 'temporary')
  return execFileSync(
    'strace',
    [
      ...['-f', '-qq', '-o', '/dev/null', '-P', path],
      ...['-e', 'trace=fdatasync,close', '-e', `inject=${failure}`],
      ...[process.execPath, program.path, path],
    ],
    // One thread, so that the n-th sync of the thread is the n-th sync of the process.
    { env: { ...process.env, UV_THREADPOOL_SIZE: '1' }, encoding: 'utf8' },
  ).trim()
}

describe.skipIf(cannotTrace)(`a large file${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  it.each([1, 2, 3])(
    'is refused and removed when its sync number %i fails',
    { timeout: 60_000 },
    async (count) => {
      expect(writeWhile(`fdatasync:error=EIO:when=${count}`)).toBe('unavailable')
      expect(await readdir(folder)).toEqual([])
    },
  )

  it('is synced three times', { timeout: 60_000 }, async () => {
    expect(writeWhile('fdatasync:error=EIO:when=4')).toBe('written')
    expect(await readdir(folder)).toEqual(['temporary'])
  })
})
