/**
 * Sorts any number of lines with bounded memory and few open files: sorted runs on disk, merged into longer ones until the last
 * are merged while they are read. A line is ASCII text without a line break; order is that of its bytes, which is the order of
 * S3's listings.
 */
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface SortLimits {
  /** Lines of one run as they come: 100,000 are some tens of MiB. */
  readonly runLines?: number
  /** Runs that are open at once, at least 2: 64 leave most of the files that a process may have open. */
  readonly openRuns?: number
}

/**
 * @param folder for the runs, which take as much space as the lines, and that of one merge of `openRuns` of them more. The caller removes it.
 * @returns all lines of `lines`, sorted.
 */
export async function sortLines(
  lines: AsyncIterable<string>,
  folder: string,
  { runLines = 100_000, openRuns = 64 }: SortLimits = {},
): Promise<AsyncIterable<string>> {
  let runs: string[] = []
  let run: string[] = []
  for await (const line of lines) {
    run.push(line)
    if (run.length < runLines) continue
    run.sort(byBytes)
    runs.push(await writeRun(run, join(folder, `run-${runs.length}`)))
    run = []
  }
  run.sort(byBytes)
  for (let pass = 1; runs.length > openRuns; pass += 1)
    runs = await mergeSome(runs, openRuns, join(folder, `pass-${pass}`))
  return mergeAll([fromMemory(run), ...runs.map(readRun)])
}

/** One pass: runs become longer ones, `openRuns` at a time, and are removed. */
async function mergeSome(runs: readonly string[], openRuns: number, prefix: string): Promise<string[]> {
  const merged: string[] = []
  for (let at = 0; at < runs.length; at += openRuns) {
    const some = runs.slice(at, at + openRuns)
    merged.push(await writeRun(mergeAll(some.map(readRun)), `${prefix}-run-${merged.length}`))
    for (const path of some) await rm(path)
  }
  return merged
}

/** Of ASCII text the order of UTF-16 units is that of bytes. */
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

async function writeRun(run: Iterable<string> | AsyncIterable<string>, path: string): Promise<string> {
  const file = createWriteStream(path, { mode: 0o600 })
  for await (const line of run) if (!file.write(`${line}\n`)) await once(file, 'drain')
  file.end()
  await once(file, 'close')
  return path
}

async function* fromMemory(run: readonly string[]): AsyncGenerator<string> {
  yield* run
}

async function* readRun(path: string): AsyncGenerator<string> {
  yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
}

/** A tree of merges of two: each line is compared as often as the tree is deep. */
function mergeAll(sources: readonly AsyncIterable<string>[]): AsyncIterable<string> {
  const [first, second, ...others] = sources
  if (!first || !second) return first ?? fromMemory([])
  if (others.length === 0) return merge(first, second)
  const half = Math.ceil(sources.length / 2)
  return merge(mergeAll(sources.slice(0, half)), mergeAll(sources.slice(half)))
}

async function* merge(left: AsyncIterable<string>, right: AsyncIterable<string>): AsyncGenerator<string> {
  const [a, b] = [left[Symbol.asyncIterator](), right[Symbol.asyncIterator]()]
  let [x, y] = [await a.next(), await b.next()]
  while (!x.done && !y.done)
    if (x.value <= y.value) {
      yield x.value
      x = await a.next()
    } else {
      yield y.value
      y = await b.next()
    }
  for (; !x.done; x = await a.next()) yield x.value
  for (; !y.done; y = await b.next()) yield y.value
}
