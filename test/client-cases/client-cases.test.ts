/** Runs the cases that every client keeps (README.md) with the TypeScript client, against a real server. */
import { createHash, randomUUID } from 'node:crypto'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BucketClient, BucketError, lockedRef, NetworkError, parseRef } from '../../lib/client/node.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'

type Bytes = { readonly text: string } | { readonly repeat: string; readonly size: number }
type TreeEntry = {
  readonly text?: string
  readonly executable?: boolean
  readonly link?: string
  readonly folder?: boolean
}
type Tree = Readonly<Record<string, TreeEntry>>

interface Step {
  readonly do: string
  readonly ref?: string
  readonly ref_text?: string
  readonly url?: string
  readonly bytes?: Bytes
  readonly as?: 'bytes' | 'stream' | 'path'
  readonly digest?: string
  readonly content_type?: string
  readonly uploaded_by?: string
  readonly provenance_source?: string
  readonly over?: Bytes
  readonly tree?: Tree
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  readonly over_tree?: Tree
  readonly lock?: string
  readonly gives?: Readonly<Record<string, unknown>>
  readonly fails?: { readonly code: string; readonly members?: Readonly<Record<string, unknown>> }
}

interface Cases {
  readonly cases: readonly { readonly name: string; readonly steps: readonly Step[] }[]
}

const { cases }: Cases = JSON.parse(await readFile(join(import.meta.dirname, 'cases.json'), 'utf8'))

let folder: string
let server: Served | undefined
/** Root of the API: of a deployment that the caller names, else of a server of this run. */
let url: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-client-cases-'))
  const named = process.env.CLIENT_CASES_URL
  server = named === undefined ? await serveFolder(join(folder, 'data')) : undefined
  url = named ?? server?.url ?? ''
}, 60_000)

afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true })
})

describe('the TypeScript client passes the cases shared by all clients:', () => {
  it.each(cases)('$name', { timeout: 120_000 }, async ({ steps }) => {
    const artifact = `c-${randomUUID()}`
    const named: typeof steps = JSON.parse(
      JSON.stringify(steps).replaceAll('{artifact}', artifact).replaceAll('{root}', url),
    )
    for (const step of named) {
      const outcome = await run(step, artifact).catch((error: unknown) => failure(error))
      if (step.fails) expect(outcome).toMatchObject({ failed: step.fails })
      else expect(outcome).toMatchObject(step.gives ?? {})
      // An empty folder matches every folder otherwise.
      if (step.gives?.tree) expect(outcome).toHaveProperty('tree', step.gives.tree)
    }
  })
})

/** The cases call members as the wire does: `storedDigest` is `stored_digest`. */
const withWireNames = (details: object) =>
  Object.fromEntries(
    Object.entries(details).map(([name, value]) => [
      name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`),
      value,
    ]),
  )

function failure(error: unknown) {
  if (error instanceof BucketError)
    return { failed: { code: error.code, members: withWireNames(error.details) } }
  if (error instanceof NetworkError) return { failed: { code: error.kind } }
  if (error instanceof Error && 'code' in error)
    // The client reports an occupied target with the system's code.
    return { failed: { code: error.code === 'EEXIST' ? 'target_exists' : error.code } }
  throw error
}

async function run(step: Step, artifact: string): Promise<object> {
  const bucket = new BucketClient({ url: step.url ?? url, retry: { attempts: step.url ? 1 : 5 } })
  const ref = step.ref_text ?? `client-cases/${artifact}/${step.ref ?? ''}`
  const pinned = step.digest === undefined ? {} : { digest: step.digest }
  const own = await mkdtemp(join(folder, 'step-'))
  const path = join(own, 'file')
  const tree = join(own, 'tree')
  switch (step.do) {
    case 'put': {
      const bytes = bytesOf(step.bytes)
      if (step.as === 'path') await writeFile(path, bytes)
      const source = step.as === 'path' ? path : step.as === 'stream' ? new Blob([bytes]).stream() : bytes
      const { entry, created } = await bucket.put(ref, source, {
        ...pinned,
        contentType: step.content_type,
        uploadedBy: step.uploaded_by,
        provenanceSource: step.provenance_source,
      })
      return { created, digest: entry.digest, size: entry.size }
    }
    case 'get':
      return described(await new Response(await bucket.get(ref, pinned)).arrayBuffer())
    case 'download':
      if (step.over) await writeFile(path, bytesOf(step.over))
      await bucket.download(ref, path, pinned)
      return described(await readFile(path))
    case 'entry': {
      const entry = await bucket.entry(ref)
      return {
        digest: entry.digest,
        size: entry.size,
        content_type: entry.contentType,
        uploaded_by: entry.uploadedBy,
        provenance_source: entry.provenanceSource,
      }
    }
    case 'list': {
      const versions: string[] = []
      for await (const entry of bucket.listVersions({ bucketId: 'client-cases', artifactId: artifact }))
        versions.push(entry.ref.version)
      return { versions }
    }
    case 'upload':
      return await bucket.upload(ref, step.digest ?? '')
    case 'abort':
      await bucket.abortUpload(ref, step.digest ?? '')
      return {}
    case 'push': {
      await makeTree(tree, step.tree ?? {})
      const { created, digest, sent } = await bucket.push(ref, tree, {
        include: step.include,
        exclude: step.exclude,
        cacheFolder: false,
      })
      return { created, digest, sent: sent.length }
    }
    case 'pull':
      if (step.over_tree) await makeTree(tree, step.over_tree)
      await bucket.pull(ref, tree)
      return { tree: await readTree(tree) }
    case 'locked': {
      await writeFile(path, step.lock ?? '')
      const { digest } = await lockedRef(path, parseRef(ref), undefined)
      return described(await new Response(await bucket.get(ref, { digest })).arrayBuffer())
    }
    default:
      throw new Error(`unknown step ${step.do}`)
  }
}

const described = (bytes: Uint8Array | ArrayBuffer) => ({
  digest: `sha256:${createHash('sha256').update(new Uint8Array(bytes)).digest('hex')}`,
  size: bytes.byteLength,
})

function bytesOf(bytes: Bytes | undefined): Uint8Array<ArrayBuffer> {
  if (bytes === undefined) throw new Error('the step has no bytes')
  if ('text' in bytes) return new TextEncoder().encode(bytes.text)
  return Uint8Array.from(Buffer.alloc(bytes.size, bytes.repeat))
}

async function makeTree(at: string, tree: Tree): Promise<void> {
  await mkdir(at)
  for (const [name, entry] of Object.entries(tree)) {
    const path = join(at, name)
    await mkdir(entry.folder ? path : dirname(path), { recursive: true })
    if (entry.link !== undefined) await symlink(entry.link, path)
    else if (entry.text !== undefined) await writeFile(path, entry.text)
    if (entry.executable) await chmod(path, 0o755)
  }
}

async function readTree(at: string): Promise<Tree> {
  const tree: Record<string, TreeEntry> = {}
  for (const found of await readdir(at, { recursive: true, withFileTypes: true })) {
    const path = join(found.parentPath, found.name)
    const name = path.slice(at.length + 1)
    if (found.isSymbolicLink()) tree[name] = { link: await readlink(path) }
    else if (found.isFile()) {
      const executable = ((await stat(path)).mode & 0o100) !== 0
      tree[name] = { text: await readFile(path, 'utf8'), ...(executable && { executable }) }
    } else if ((await readdir(path)).length === 0) tree[name] = { folder: true }
  }
  return tree
}
