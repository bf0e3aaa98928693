/** Tools that look and change nothing: entries, versions, many refs at once, a digest. */
import type { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { digestSource, type Entry, fileSource, formatRef } from '../client/node.ts'
import { formatPinnedRef } from '../domain/identifiers.ts'
import { parseArtifactKey } from '../domain/refs.ts'
import { contentVersion } from '../domain/version-names.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import { parsePinned, parsePinnedList } from './refs.ts'
import { CallError } from './refusal.ts'
import { addTool, ENTRY, READS, type ToolContext } from './tool.ts'

const MAX_REFS = 1000
const MAX_VERSIONS = 1000

export function addEntryTools(server: McpServer, context: ToolContext): void {
  addTool(server, context, {
    name: 'show_entry',
    title: 'Show an entry',
    description:
      'Returns the permanent record of one stored version: digest, size, media type, who stored it, provenance, time. Not found is certain: a failing store says so instead.',
    input: z.strictObject({ ref: z.string().describe('bucket_id/artifact_id/version, or pinned') }),
    output: z.object({ pinned_ref: z.string(), entry: ENTRY }),
    annotations: READS,
    async run({ ref: text }, { bucket, signal }) {
      const { ref, digest } = parsePinned(text)
      const entry = await bucket.entry(ref, { signal })
      if (digest !== undefined && digest !== entry.digest)
        throw new CallError(
          'The stored version has another digest',
          `${formatRef(ref)} is stored as ${entry.digest}, not as ${digest}`,
          'Do not use it in place of the expected bytes. Find out where the expected digest comes from.',
        )
      return { pinned_ref: formatPinnedRef(entry), entry: entryMessage(entry) }
    },
  })

  addTool(server, context, {
    name: 'list_versions',
    title: 'List the versions of an artifact',
    description:
      'Lists the versions of one artifact in the byte order of their names, which says nothing about which is newer or better. Bucket has no "latest" and no search: which version is current is a decision of your own registry.',
    input: z.strictObject({
      artifact: z.string().describe('bucket_id/artifact_id'),
      limit: z.int().min(1).max(MAX_VERSIONS).optional().describe('default 100'),
      after: z.string().optional().describe('next_after of the page before'),
    }),
    output: z.object({
      versions: z.array(
        ENTRY.pick({ version: true, digest: true, size: true, provenance_source: true, created_at: true }),
      ),
      next_after: z.string().nullable().describe('null: these were the last ones'),
    }),
    annotations: READS,
    async run({ artifact, limit = 100, after }, { bucket, signal }) {
      const found: Entry[] = []
      for await (const entry of bucket.listVersions(parseArtifactKey(artifact), { signal })) {
        if (after !== undefined && Buffer.compare(Buffer.from(entry.ref.version), Buffer.from(after)) <= 0)
          continue
        found.push(entry)
        if (found.length > limit) break
      }
      const page = found.slice(0, limit)
      return {
        versions: page.map((entry) => {
          const { version, digest, size, provenance_source, created_at } = entryMessage(entry)
          return { version, digest, size, provenance_source, created_at }
        }),
        next_after: found.length > limit ? (page.at(-1)?.ref.version ?? null) : null,
      }
    },
  })

  addTool(server, context, {
    name: 'check_refs',
    title: 'Check many refs',
    description:
      'Says for each ref whether it is absent, stored, or, if it is pinned, identical or different. Computes and sends nothing: use it before a long job, and before a re-run.',
    input: z.strictObject({
      refs: z
        .array(z.string())
        .min(1)
        .max(MAX_REFS)
        .describe('each bucket_id/artifact_id/version, or pinned'),
    }),
    output: z.object({
      results: z.array(
        z.object({
          ref: z.string(),
          state: z.enum(['absent', 'stored', 'identical', 'different']),
          stored_digest: z.string().nullable(),
          size: z.int().min(0).nullable().describe('bytes'),
        }),
      ),
    }),
    annotations: READS,
    async run({ refs }, { bucket, signal }) {
      const results = await bucket.check(parsePinnedList(refs), { signal })
      return {
        results: results.map(({ ref, state, entry }) => ({
          ref: formatRef(ref),
          state,
          stored_digest: entry?.digest ?? null,
          size: entry?.size ?? null,
        })),
      }
    },
  })

  addTool(server, context, {
    name: 'compute_digest',
    title: 'Compute the digest of a file',
    description: 'Computes the SHA-256 of a local file. Sends nothing.',
    input: z.strictObject({ path: z.string().describe('the file, absolute or relative to the first root') }),
    output: z.object({
      digest: z.string(),
      size: z.int().min(0).describe('bytes'),
      content_version: z.string().describe('the version that store_file makes from this content'),
    }),
    annotations: READS,
    async run({ path }, { roots, signal, onProgress }) {
      const source = await fileSource(await roots.openFile(path))
      try {
        const { digest, size } = await digestSource(source, { signal, onProgress })
        return { digest, size, content_version: contentVersion(digest) }
      } finally {
        await source.dispose()
      }
    },
  })
}
