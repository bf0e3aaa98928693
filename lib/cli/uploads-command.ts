/** `bucket uploads`: shows the progress of an upload, or aborts it. An upload is found by ref and digest. */

import type { Command } from 'commander'
import type { Upload } from '../client/node.ts'
import type { Digest } from '../domain/digest.ts'
import { type BucketError, isBucketError, toFailure } from '../domain/errors.ts'
import type { UploadFailure } from '../domain/failure.ts'
import { type ArtifactRef, formatPinnedRef, formatRef } from '../domain/identifiers.ts'
import { partCount } from '../domain/limits.ts'
import type { Upload as DomainUpload } from '../domain/upload.ts'
import { encodeUpload } from '../protocol/encode.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './failure.ts'
import { createOutput, type Output, type OutputOptions, withOutput } from './output.ts'
import { parsePinnedRef } from './refs.ts'
import { formatSize } from './sizes.ts'

interface UploadsOptions extends ConnectionOptions, OutputOptions {
  readonly file?: string
  readonly abort?: boolean
}

export function addUploadsCommand(program: Command, context: CliContext): void {
  const command = program
    .command('uploads')
    .description('show the progress of an upload, or abort it')
    .argument('<ref>', 'bucket_id/artifact_id/version@sha256:…, or without the digest and with --file')
    .option('--file <path>', 'the file that is uploaded: its digest is computed')
    .option('--abort', 'abort the upload and drop what was sent')
    .addHelpText(
      'after',
      `
An upload continues when \`bucket put\` runs again, on any host; it expires after a week. Exit 3: there is no such
upload; 4: it cannot be aborted, because it is being verified or committed.

Examples:
  bucket uploads prod-models/llama-3-8b/v3.1.0@sha256:9f86d0…
  bucket uploads prod-models/llama-3-8b/v3.1.0 --file model.safetensors
  bucket uploads prod-models/llama-3-8b/v3.1.0 --file model.safetensors --abort`,
    )
    .action((text: string, options: UploadsOptions) => {
      const { ref, digest } = parsePinnedRef(text)
      return uploads(ref, digest, options, context)
    })
  withOutput(withConnection(command))
}

async function uploads(
  ref: ArtifactRef,
  given: Digest | undefined,
  options: UploadsOptions,
  context: CliContext,
): Promise<void> {
  const output = createOutput(options, context)
  try {
    const digest = await digestOf(ref, given, options, output, context)
    const bucket = await connect(options, context, output)
    if (options.abort) {
      await bucket.abortUpload(ref, digest, context)
      await output.result(`${formatPinnedRef({ ref, digest })}\n`, {
        aborted: true,
        ref: formatPinnedRef({ ref, digest }),
        digest,
      })
      output.remark('aborted: what was sent is dropped')
      return
    }
    const upload = await bucket.upload(ref, digest, context)
    const next = await remedyOf(upload)
    const lines = Object.entries(describe(upload, next)).map(([name, text]) => `${name.padEnd(18)} ${text}\n`)
    await output.result(lines.join(''), document(upload, next))
  } finally {
    output.close()
  }
}

async function digestOf(
  ref: ArtifactRef,
  given: Digest | undefined,
  { file }: UploadsOptions,
  { onProgress }: Output,
  { signal }: CliContext,
): Promise<Digest> {
  if (file === undefined && given !== undefined) return given
  if (file === undefined || given !== undefined)
    throw new UsageError(
      given === undefined
        ? `${formatRef(ref)} is not enough: there can be one upload for each digest`
        : 'the digest is given twice, after @ and by --file',
      'Write REF@sha256:<64 hex digits>, or REF --file FILE.',
      given === undefined ? 'Which upload?' : 'Two digests',
    )
  const { digestSource, fileSource } = await import('../client/node.ts')
  const source = await fileSource(file, { onProgress, signal })
  try {
    return (await digestSource(source, { onProgress, signal })).digest
  } finally {
    await source.dispose()
  }
}

/** The next step after a failed upload; empty for any other upload. */
async function remedyOf({ problem }: Upload): Promise<string> {
  if (problem === undefined) return ''
  const { describeFailure } = await import('./failure-text.ts')
  return describeFailure(problem).next
}

/** For people. */
function describe(upload: Upload, next: string): Record<string, string> {
  const { ref, digest, size, mode, state, expiresAt, verifiedBytes, problem, entry } = upload
  return {
    upload: formatRef(ref),
    digest,
    size: formatSize(size),
    mode,
    state,
    ...(state === 'open' && { received: received(upload) }),
    ...(state === 'verifying' && { verified: formatSize(verifiedBytes) }),
    ...(problem && { problem: `${problem.code}: ${problem.message}`, next }),
    ...(entry ? { stored: entry.createdAt } : { expires: expiresAt }),
  }
}

function received({ received, size }: Upload): string {
  if (typeof received === 'boolean') return received ? 'all of it' : 'nothing'
  const bytes = received.reduce((sum, part) => sum + part.size, 0)
  return `${received.length} of ${partCount(size)} parts, ${formatSize(bytes)}`
}

/** For programs: the upload as the API writes it (docs/http-api.md, section 7), with the command line's own next step. */
function document(upload: Upload, next: string): Record<string, unknown> {
  const message = encodeUpload(domainUpload(upload), NO_REQUEST)
  if (message.problem === undefined) return { ref: formatPinnedRef(upload), ...message }
  const { request_id: _, ...problem } = message.problem
  return { ref: formatPinnedRef(upload), ...message, problem: { ...problem, next } }
}

/** A command answers no request. */
const NO_REQUEST = { requestId: '' }

function domainUpload(upload: Upload): DomainUpload {
  const { ref, digest, size, description, mode, expiresAt, state, received, problem, entry } = upload
  const facts = { id: { ref, digest }, size, description, expiresAt, mode }
  if (problem) return { ...facts, state: 'failed', failure: failureOf(problem) }
  if (entry) return { ...facts, state: 'committed', entry }
  if (state === 'verifying') return { ...facts, state, verifiedBytes: upload.verifiedBytes }
  return typeof received === 'boolean'
    ? { ...facts, state: 'open', mode: 'single', received }
    : { ...facts, state: 'open', mode: 'multipart', received }
}

function failureOf(error: BucketError): UploadFailure {
  if (isBucketError(error, 'digest_mismatch')) return toFailure(error)
  if (isBucketError(error, 'version_exists')) return toFailure(error)
  return { code: 'unavailable', detail: error.message, details: {} }
}
