/**
 * What is acknowledged is on disk: the order of the system calls of one store, as the kernel saw them.
 * No crash of a process can show a missing sync; only this can, short of pulling the plug.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blobOf, someBytes } from '#support/fake-artifacts'

const cannotTrace =
  spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0
    ? undefined
    : 'strace is missing or may not trace here'

/** One system call: when it began and ended, counted in lines of the trace. */
interface SystemCall {
  readonly text: string
  readonly begin: number
  end: number
}

function parseTrace(trace: string): SystemCall[] {
  const calls: SystemCall[] = []
  const unfinished = new Map<string, SystemCall>()
  for (const [line, text] of trace.split('\n').entries()) {
    const [, pid = '', call = ''] = /^(\d+)\s+(.*)$/.exec(text) ?? []
    const resumed = call.startsWith('<...') ? unfinished.get(pid) : undefined
    if (resumed) resumed.end = line
    else calls.push({ text: call, begin: line, end: line })
    const last = calls.at(-1)
    if (last && call.endsWith('<unfinished ...>')) {
      last.end = Number.POSITIVE_INFINITY
      unfinished.set(pid, last)
    }
  }
  return calls
}

describe.skipIf(cannotTrace)(`one store${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  let dataDir: string
  let calls: SystemCall[] = []

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'bucket-trace-'))
    const trace = join(dataDir, '..', `${dataDir.split('/').at(-1)}.trace`)
    const program = `
      import { writeSync } from 'node:fs'
      import { openFolder } from '#local/folder'
      import { entryOf, inChunks, someBytes } from '#support/fake-artifacts'
      const folder = await openFolder(${JSON.stringify(dataDir)})
      const entry = entryOf('b/a/v', someBytes(1000))
      writeSync(1, 'begin')
      await folder.blobs.write(entry, inChunks(someBytes(1000), 1000), { size: 1000, contentType: 'x', signal: undefined })
      writeSync(1, 'written')
      await folder.ledger.append(entry, 'commit')
      writeSync(1, 'appended')
      await folder.close()`
    const watched = 'trace=openat,write,pwrite64,pwritev,writev,fsync,fdatasync,rename,mkdir'
    execFileSync(
      'strace',
      [
        '-f',
        '-qq',
        '-y',
        '-s',
        '16',
        '-e',
        watched,
        '-o',
        trace,
        process.execPath,
        '--conditions=source',
        '--import',
        'tsx',
        '--input-type=module',
        '--eval',
        program,
      ],
      { stdio: 'pipe' },
    )
    calls = parseTrace(await readFile(trace, 'utf8'))
    await rm(trace)
  }, 60_000)
  afterAll(() => rm(dataDir, { recursive: true }))

  /** The calls that match, from `begin` on; a path stands in the trace as the kernel knows it. */
  const find = (pattern: RegExp) => {
    const begin = calls.find(({ text }) => /^write\(1.*"begin"/.test(text))?.begin ?? Number.POSITIVE_INFINITY
    return calls.filter((call) => call.begin > begin && pattern.test(call.text))
  }
  const one = (pattern: RegExp): SystemCall => {
    const [first, ...others] = find(pattern)
    expect(others, String(pattern)).toEqual([])
    if (!first) throw new Error(`no system call ${pattern}`)
    return first
  }
  const inOrder = (...steps: readonly SystemCall[]) => {
    for (const [index, step] of steps.entries()) {
      const next = steps[index + 1]
      if (next) expect(step.end, `${step.text} before ${next.text}`).toBeLessThan(next.begin)
    }
  }

  it('syncs the bytes before they get their final name, and the name before it says written', () => {
    const { digest } = blobOf('b/a/v', someBytes(1000))
    inOrder(
      one(/^(write|writev)\(\d+<[^>]*\/tmp\/0>/),
      one(/^fdatasync\(\d+<[^>]*\/tmp\/0>/),
      one(new RegExp(`^rename\\(.*/tmp/0".*/blobs/b/a/v@${digest.slice(7)}"`)),
      one(/^fsync\(\d+<[^>]*\/blobs\/b\/a>/),
      one(/^write\(1.*"written"/),
    )
  })

  it('syncs each new folder into its parent before the name of the bytes counts', () => {
    inOrder(
      one(/^mkdir\(.*\/blobs\/b"/),
      one(/^fsync\(\d+<[^>]*\/blobs>/),
      one(/^mkdir\(.*\/blobs\/b\/a"/),
      one(/^fsync\(\d+<[^>]*\/blobs\/b>/),
      one(/^write\(1.*"written"/),
    )
  })

  it('syncs the row, then what makes it visible, before it says appended', () => {
    const written = one(/^write\(1.*"written"/)
    const appended = one(/^write\(1.*"appended"/)
    const ledger = find(/^(pwrite64|pwritev|write|writev|fdatasync)\(\d+<[^>]*ledger\.mdb>/).filter(
      ({ begin }) => begin > written.begin && begin < appended.begin,
    )
    const sync = ledger.findIndex(({ text }) => text.startsWith('fdatasync'))
    expect(sync).toBeGreaterThan(0)
    // Whole pages only: what makes a row visible is a shorter write into the first pages, and must not come before the sync.
    for (const { text } of ledger.slice(0, sync))
      expect(Number(text.match(/= (\d+)$/)?.[1]) % 4096, text).toBe(0)
    // The last write makes the row visible; its descriptor writes through to the disk.
    const [visible] = ledger.slice(-1)
    expect(visible?.text).toMatch(/^pwrite64/)
    inOrder(...ledger.slice(0, sync + 1).slice(-1), ...(visible ? [visible] : []), appended)
    const through = calls.find(({ text }) => /^openat\(.*ledger\.mdb", [^)]*O_DSYNC/.test(text))
    expect(through?.text.match(/= (\d+)</)?.[1]).toBe(visible?.text.match(/^pwrite64\((\d+)</)?.[1])
  })
})
