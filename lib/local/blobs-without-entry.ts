/**
 * Blobs without an entry in the ledger. A store or an upload that was cut short leaves such a blob, and so does a ledger that lost entries.
 * A start after a crash reports them before it accepts a store.
 */
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { formatRef } from '../domain/identifiers.ts'
import { parseRef } from '../domain/refs.ts'
import { decodeName } from './blob-names.ts'

export interface BlobsWithoutEntry {
  readonly count: number
  /** The first few, relative to the folder of all blobs. */
  readonly examples: readonly string[]
}

const EXAMPLES = 10

/**
 * Names alone decide, so it takes one look into each folder. Files with shortened names, and other files than blobs, are not counted.
 *
 * @param blobs the folder of all blobs.
 * @param has whether a reference has an entry.
 */
export async function findBlobsWithoutEntry(
  blobs: string,
  has: (ref: string) => boolean,
): Promise<BlobsWithoutEntry> {
  let count = 0
  const examples: string[] = []
  for await (const bucket of foldersIn(blobs))
    for await (const artifact of foldersIn(join(blobs, bucket)))
      for await (const { name } of await opendir(join(blobs, bucket, artifact))) {
        const ref = refOf(bucket, artifact, name)
        if (ref === undefined || has(ref)) continue
        count += 1
        if (examples.length < EXAMPLES) examples.push(`${bucket}/${artifact}/${name}`)
      }
  return { count, examples }
}

async function* foldersIn(path: string): AsyncGenerator<string, void, undefined> {
  for await (const entry of await opendir(path)) if (entry.isDirectory()) yield entry.name
}

/** The reference in the path of a blob. */
function refOf(bucket: string, artifact: string, file: string): string | undefined {
  const [, version] = /^(.+)@[0-9a-f]{64}$/.exec(file) ?? []
  if (version === undefined) return undefined
  const [bucketId, artifactId, plain] = [bucket, artifact, version].map(decodeName)
  if (bucketId === undefined || artifactId === undefined || plain === undefined) return undefined
  try {
    return formatRef(parseRef(`${bucketId}/${artifactId}/${plain}`))
  } catch {
    return undefined
  }
}
