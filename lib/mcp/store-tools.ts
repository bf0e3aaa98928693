/** Tools that store: a file, a short text, a folder. */
import type { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { digestSource, fileSource, type Source } from '../client/node.ts'
import type { DescriptionInput } from '../domain/description.ts'
import { type ArtifactKey, type ArtifactRef, formatPinnedRef } from '../domain/identifiers.ts'
import { MIB } from '../domain/limits.ts'
import { artifactRef } from '../domain/refs.ts'
import { contentVersion, isMovingName } from '../domain/version-names.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import { DESCRIPTION_ARGUMENTS, descriptionArguments } from './description.ts'
import { type Pinned, parsePinned, parseTarget } from './refs.ts'
import { CallError } from './refusal.ts'
import { ADDS, addTool, type Call, ENTRY, type ToolContext } from './tool.ts'

/** The limit of a message; anything larger is a file. */
const MAX_TEXT_BYTES = MIB
const TEXT_TYPE = 'text/plain; charset=utf-8'

const REF = z
  .string()
  .describe(
    'bucket_id/artifact_id/version, for example evals/run-47/summary. Without the version (bucket_id/artifact_id) it is named by content. With @sha256:<hex> the bytes are pinned',
  )
const { content_type: CONTENT_TYPE, ...ORIGIN } = DESCRIPTION_ARGUMENTS
const STORED = z.object({
  pinned_ref: z.string().describe('the one line to keep: ref@digest'),
  created: z.boolean().describe('false: the same bytes were stored before, which is a success'),
  entry: ENTRY,
  note: z.string().optional(),
})

const RESTORED =
  'These bytes were stored before, and the server had lost them: this call brought them back. Tell the user that the storage of the server loses bytes.'
const AGAIN =
  'Repeating the call is safe: the same bytes under the same ref are a success (created: false). Other bytes under a stored ref are refused; then choose a new version.'
const LATER =
  'If the call is cancelled or times out, call it again with the same arguments: it sends only what is missing.'

export function addStoreTools(server: McpServer, context: ToolContext): void {
  addTool(server, context, {
    name: 'store_file',
    title: 'Store a file',
    description: `Stores a file permanently under an exact ref in Bucket, verified by its SHA-256. It can never be changed or deleted, so ask the user before storing anything private. ${AGAIN} ${LATER}`,
    input: z.strictObject({
      ref: REF,
      path: z.string().describe('the file, absolute or relative to the first root'),
      content_type: CONTENT_TYPE,
      ...ORIGIN,
    }),
    output: STORED,
    annotations: ADDS,
    async run({ ref, path, ...described }, call) {
      const target = parseTarget(ref)
      const source = await fileSource(await call.roots.openFile(path))
      return await store(target, source, descriptionArguments(described), call)
    },
  })

  addTool(server, context, {
    name: 'store_text',
    title: 'Store a short text',
    description: `Stores a text of at most 1 MiB permanently under an exact ref in Bucket, as UTF-8, exactly as given: no line feed is added. Use store_file for anything that is a file already. ${AGAIN}`,
    input: z.strictObject({
      ref: REF,
      text: z.string(),
      content_type: z.string().optional().describe(`the media type; default ${TEXT_TYPE}`),
      ...ORIGIN,
    }),
    output: STORED,
    annotations: ADDS,
    async run({ ref, text, ...described }, call) {
      const target = parseTarget(ref)
      const source = bytesSource(utf8(text))
      return await store(
        target,
        source,
        { ...descriptionArguments(described), contentType: described.content_type ?? TEXT_TYPE },
        call,
      )
    },
  })

  addTool(server, context, {
    name: 'push_folder',
    title: 'Store a folder',
    description: `Stores a folder permanently: every file as an artifact of its own, then a manifest of them under the ref, last, so that half a folder is never visible. Files that are stored already are not sent again. ${AGAIN} ${LATER}`,
    input: z.strictObject({
      ref: z
        .string()
        .describe('bucket_id/artifact_id/version of the folder; artifact_id has at most 122 characters'),
      path: z.string().describe('the folder, absolute or relative to the first root'),
      include: z
        .array(z.string())
        .optional()
        .describe('only files that match one of these patterns (* ? [a-z])'),
      exclude: z.array(z.string()).optional().describe('nothing that matches one of these patterns'),
      ...ORIGIN,
    }),
    output: z.object({
      pinned_ref: z.string().describe('of the manifest: the one line to keep'),
      created: z.boolean().describe('false: the same folder was stored before, which is a success'),
      files: z.int().min(0),
      size: z.int().min(0).describe('bytes of all files'),
      sent_files: z.int().min(0).describe('files that were not stored before'),
    }),
    annotations: ADDS,
    async run({ ref, path, include, exclude, ...described }, { bucket, roots, signal, onProgress, keep }) {
      const { ref: parsed, digest } = parsePinned(ref)
      const pushed = await bucket.push(parsed, await roots.readableFolder(path), {
        include,
        exclude,
        digest,
        ...descriptionArguments(described),
        openFile: async (file, options) => await fileSource(await roots.openFile(file), options),
        onProgress(progress) {
          onProgress(progress)
          const { phase, files } = progress
          if (phase === 'uploading' && files && files.done > 0)
            keep(`${files.done} of ${files.total} files have arrived; the same call sends only the others.`)
        },
        signal,
      })
      return {
        pinned_ref: formatPinnedRef(pushed),
        created: pushed.created,
        files: pushed.manifest.entries.filter(({ type }) => type === 'file').length,
        size: pushed.size,
        sent_files: pushed.sent.length,
      }
    },
  })
}

async function store(
  { ref, digest }: Pinned<ArtifactRef | ArtifactKey>,
  source: Source,
  description: DescriptionInput,
  { bucket, signal, onProgress, keep }: Call,
): Promise<z.input<typeof STORED>> {
  try {
    const named =
      'version' in ref ? { ref, source } : await nameByContent(ref, source, { signal, onProgress })
    const { entry, created, restored } = await bucket.put(named.ref, named.source, {
      ...description,
      digest,
      signal,
      onProgress(progress) {
        onProgress(progress)
        if (progress.phase === 'uploading' && progress.bytes > 0)
          keep(
            `${progress.bytes} of ${progress.total} bytes have arrived and are kept for a week; the same call continues from there.`,
          )
      },
    })
    const moving =
      created && isMovingName(entry.ref.version)
        ? `"${entry.ref.version}" now means these bytes permanently. It will not move to a newer version: keep the current version in your own registry.`
        : undefined
    const note = restored ? RESTORED : moving
    return { pinned_ref: formatPinnedRef(entry), created, entry: entryMessage(entry), ...(note && { note }) }
  } finally {
    await source.dispose()
  }
}

async function nameByContent(key: ArtifactKey, source: Source, options: Pick<Call, 'signal' | 'onProgress'>) {
  const hashed = await digestSource(source, options)
  return { ref: artifactRef({ ...key, version: contentVersion(hashed.digest) }), source: hashed.source }
}

/** @throws CallError for a text that UTF-8 cannot carry, or that is too long for a message. */
function utf8(text: string): Uint8Array {
  if (/\p{Surrogate}/u.test(text))
    throw new CallError(
      'This text cannot be stored',
      'it has half of a surrogate pair, which UTF-8 cannot carry',
      'Remove the broken character, or store a file.',
    )
  const bytes = new TextEncoder().encode(text)
  if (bytes.byteLength > MAX_TEXT_BYTES)
    throw new CallError(
      'This text is too long for store_text',
      `it has ${bytes.byteLength} bytes, at most ${MAX_TEXT_BYTES} are allowed`,
      'Write it to a file inside of a root, and store that with store_file.',
    )
  return bytes
}

const bytesSource = (bytes: Uint8Array): Source => ({
  size: bytes.byteLength,
  async *open(start = 0, end = bytes.byteLength) {
    yield bytes.subarray(start, end)
  },
  dispose: async () => {},
})
