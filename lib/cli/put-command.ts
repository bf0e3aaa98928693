/** `bucket put`: a file, or stdin, becomes an artifact version. */
import { basename } from 'node:path'
import type { Command } from 'commander'
import { digestHex } from '../domain/digest.ts'
import { type ArtifactKey, type ArtifactRef, artifactRef, formatRef } from '../domain/identifiers.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { createOutput, type Output, type OutputOptions, withOutput } from './output.ts'
import { parseTarget } from './refs.ts'
import { formatSize } from './sizes.ts'
import { stdinStream } from './stdin-stream.ts'

interface PutOptions extends ConnectionOptions, OutputOptions {
  readonly uploadedBy?: string
  readonly provenanceSource?: string
  readonly contentType?: string
}

/** A version made from content is its digest, this much of it: enough to be its own, short enough to be read. */
const CONTENT_NAME_DIGITS = 12

export function addPutCommand(program: Command, context: CliContext): void {
  const command = program
    .command('put')
    .description('store a file under a reference, once and for ever')
    .argument(
      '<ref>',
      'bucket_id/artifact_id/version; without a version it is named by content, sha256-<12 hex digits>',
    )
    .argument('<file>', 'the file, or - for stdin')
    .option('--uploaded-by <text>', 'who stores it: opaque text, 1-256 characters')
    .option('--provenance-source <text>', 'where it comes from: opaque text, 1-1024 characters')
    .option('--content-type <type>', 'media type (default: application/octet-stream)')
    .addHelpText(
      'after',
      `
Storing the same bytes again is a success; other bytes under a stored version are refused (exit 4).
A large file goes as an upload: the same command, on any host, goes on where one broke off.

Examples:
  bucket put prod-models/llama-3-8b/v3.1.0 model.safetensors --uploaded-by training-cluster-5
  bucket put evals/run-47 results.json          named by content: evals/run-47/sha256-…
  tar cz snapshots | bucket put datasets/snapshots/2026-11-23 -`,
    )
    .action((target: string, file: string, options: PutOptions) =>
      put(parseTarget(target), file, options, context),
    )
  withOutput(withConnection(command))
}

async function put(
  target: ArtifactRef | ArtifactKey,
  file: string,
  options: PutOptions,
  context: CliContext,
): Promise<void> {
  const { uploadedBy, provenanceSource, contentType } = options
  const { signal } = context
  const output = createOutput(options, context, file === '-' ? undefined : basename(file))
  const bucket = await connect(options, context, output)
  const { onProgress } = output
  try {
    const source = await openSource(file, output, context)
    try {
      const named =
        'version' in target ? { ref: target, source } : await nameByContent(target, source, output, signal)
      const { entry, created } = await bucket.put(named.ref, named.source, {
        uploadedBy,
        provenanceSource,
        contentType,
        onProgress,
        signal,
      })
      const pinned = `${formatRef(entry.ref)}@${entry.digest}`
      await output.result(`${pinned}\n`, { created, entry: entryMessage(entry) })
      output.remark(
        created
          ? `stored, ${formatSize(entry.size)}`
          : `already stored, identical, ${formatSize(entry.size)}`,
      )
    } finally {
      await source.dispose()
    }
  } finally {
    output.close()
  }
}

async function openSource(file: string, { onProgress }: Output, { stdin, signal }: CliContext) {
  const { fileSource, spool } = await import('../client/node.ts')
  const options = { onProgress, signal }
  return file === '-' ? await spool(stdinStream(stdin()), options) : await fileSource(file, options)
}

async function nameByContent(
  key: ArtifactKey,
  source: Awaited<ReturnType<typeof openSource>>,
  { onProgress }: Output,
  signal: AbortSignal,
) {
  const { digestSource } = await import('../client/node.ts')
  const hashed = await digestSource(source, { onProgress, signal })
  const version = `sha256-${digestHex(hashed.digest).slice(0, CONTENT_NAME_DIGITS)}`
  return { ref: artifactRef({ ...key, version }), source: hashed.source }
}
