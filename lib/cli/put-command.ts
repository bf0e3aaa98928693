/** `bucket put`: files, or stdin, become artifact versions. */
import { basename } from 'node:path'
import type { Command } from 'commander'
import type { BucketClient, Source, TransferOptions } from '../client/node.ts'
import { type DescriptionInput, descriptionInput } from '../domain/description.ts'
import type { Digest } from '../domain/digest.ts'
import { type ArtifactKey, type ArtifactRef, formatPinnedRef } from '../domain/identifiers.ts'
import { SINGLE_BY_DEFAULT_BYTES } from '../domain/limits.ts'
import { artifactRef } from '../domain/refs.ts'
import { contentVersion, isMovingName } from '../domain/version-names.ts'
import { type EntryMessage, entryMessage } from '../protocol/entry-message.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { withDescription } from './description-options.ts'
import { PartialFailure, UsageError } from './failure.ts'
import { createOutput, KEPT_BY_SERVER, type Output, type OutputOptions, withOutput } from './output.ts'
import { parseDigestOption, parseTarget } from './refs.ts'
import { markRerun } from './refusal-texts.ts'
import { runForEach } from './several.ts'
import { formatSize } from './sizes.ts'
import { stdinStream } from './stdin-stream.ts'

interface PutFlags extends ConnectionOptions, OutputOptions, DescriptionInput {
  readonly digest?: string
  readonly allowEmpty?: boolean
  readonly explain?: boolean
  readonly lock?: string
}

const RESTORED = 'restored: it was stored before, and the server had lost its bytes'

export function addPutCommand(program: Command, context: CliContext): void {
  const command = program
    .command('put')
    .description('store a file under a reference, permanently')
    .argument(
      '<ref>',
      'bucket_id/artifact_id/version; without a version it is named by content, sha256-<12 hex digits>. @sha256:… pins the bytes',
    )
    .argument('<file...>', 'the file, or - for stdin; several files need a reference without a version')
    .option('--digest <digest>', 'pin the bytes, as REF@sha256:… does: other bytes are not sent (exit 5)')
    .option('--allow-empty', 'store zero bytes from stdin instead of refusing them')
    .option('--explain', 'print the store as a shell script for a host that has only curl; store nothing')
    .option('--lock <file>', 'add the pinned reference to a lock file, such as bucket.lock')
    .addHelpText(
      'after',
      `
Storing the same bytes again is a success; other bytes under a stored version are refused (exit 4).
A large file is sent in parts: after an interruption the same command, on any host, continues.

Examples:
  bucket put prod-models/llama-3-8b/v3.1.0 model.safetensors --uploaded-by training-cluster-5
  bucket put evals/run-47 results.json          named by content: evals/run-47/sha256-…
  bucket put evals/run-47 *.json                each its own version
  tar cz snapshots | bucket put datasets/snapshots/2026-11-23 -`,
    )
    .action((target: string, files: readonly string[], options: PutFlags) =>
      putFiles(target, files, options, context),
    )
  withOutput(withConnection(withDescription(command)))
}

async function putFiles(
  text: string,
  files: readonly string[],
  options: PutFlags,
  context: CliContext,
): Promise<void> {
  const { ref: target, digest: inRef } = parseTarget(text)
  if (inRef !== undefined && options.digest !== undefined)
    throw new UsageError('the digest is given twice, after @ and by --digest', 'Give it once.', 'Two digests')
  const digest = inRef ?? (options.digest === undefined ? undefined : parseDigestOption(options.digest))
  if (files.length > 1 && ('version' in target || digest !== undefined))
    throw new UsageError(
      `${files.length} files cannot all be ${text}`,
      'Give BUCKET_ID/ARTIFACT_ID to name each by its content, or `bucket push` for a folder.',
      'One version holds one file',
    )
  if (options.explain) {
    const { explainPut } = await import('./explain-put.ts')
    return await explainPut(target, digest, files, options, context)
  }
  const { lock } = options
  if (lock !== undefined) {
    const { checkLockFile } = await import('../client/node.ts')
    await checkLockFile(lock)
  }
  const document = await runForEach(files, 'stored', async (file) => {
    const output = createOutput(options, context, file === '-' ? 'stdin' : basename(file))
    const bucket = await connect(options, context, output)
    try {
      return await putFile(bucket, target, digest, file, options, output, context)
    } finally {
      output.close()
    }
  })
  if (options.json) await createOutput(options, context).result('', document)
}

interface PutDocument {
  /** Pinned. */
  readonly ref: string
  readonly created: boolean
  readonly restored: boolean
  readonly entry: EntryMessage
}

async function putFile(
  bucket: BucketClient,
  target: ArtifactRef | ArtifactKey,
  digest: Digest | undefined,
  file: string,
  options: PutFlags,
  output: Output,
  context: CliContext,
): Promise<PutDocument> {
  const { allowEmpty, lock } = options
  const { signal } = context
  const { onProgress } = output
  const source = await openSource(bucket, file, output, context)
  try {
    if (file === '-' && source.size === 0 && !allowEmpty)
      throw new UsageError(
        'stdin has no bytes',
        'Check what writes to it; --allow-empty stores zero bytes.',
        'Nothing to store',
      )
    const named = await prepare(target, source, lock, { onProgress, signal })
    const described = { ...descriptionInput(options), digest }
    const result = await bucket
      .put(named.ref, named.source, { ...described, onProgress, signal })
      .catch((error) => {
        if (signal.aborted && source.size > SINGLE_BY_DEFAULT_BYTES) output.remark(KEPT_BY_SERVER)
        throw markRerun(error, described)
      })
    const { entry, created, restored } = result
    const ref = formatPinnedRef(entry)
    if (!options.json) await output.result(`${ref}\n`, undefined)
    const known = restored ? RESTORED : 'already stored, identical'
    output.remark(`${created ? 'stored' : known}, ${formatSize(entry.size)}`)
    if (isMovingName(entry.ref.version) && created)
      output.remark(
        `note: "${entry.ref.version}" is now these bytes permanently; it will not move to a newer version`,
      )
    const document = { ref, created, restored, entry: entryMessage(entry) }
    if (lock !== undefined) {
      const { addToLockFile } = await import('../client/node.ts')
      await addToLockFile(lock, entry.ref, entry).catch((error) => {
        throw new PartialFailure(document, error)
      })
    }
    return document
  } finally {
    await source.dispose()
  }
}

async function openSource(
  bucket: BucketClient,
  file: string,
  { onProgress }: Output,
  { stdin, signal }: CliContext,
) {
  const { fileSource, spool, withinLimit } = await import('../client/node.ts')
  const options = { onProgress, signal }
  if (file !== '-') return await fileSource(file, options)
  return await spool(
    withinLimit(stdinStream(stdin()), () => bucket.service({ signal }), signal),
    options,
  )
}

/** Hashes the source if its version is made from the content, or if the digest must be the one in the lock file. */
async function prepare(
  target: ArtifactRef | ArtifactKey,
  source: Source,
  lock: string | undefined,
  options: TransferOptions,
): Promise<{ readonly ref: ArtifactRef; readonly source: Source }> {
  if ('version' in target && lock === undefined) return { ref: target, source }
  const { checkLockFile, digestSource } = await import('../client/node.ts')
  const hashed = await digestSource(source, options)
  const ref =
    'version' in target ? target : artifactRef({ ...target, version: contentVersion(hashed.digest) })
  if (lock !== undefined) await checkLockFile(lock, ref, hashed)
  return { ref, source: hashed.source }
}
