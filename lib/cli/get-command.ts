/** `bucket get`: an artifact version becomes a file, or goes to stdout, always verified. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { Digest } from '../domain/digest.ts'
import { type ArtifactRef, formatPinnedRef, formatRef } from '../domain/identifiers.ts'
import { errorCode } from '../flow/error-code.ts'
import { lockedDigest } from './arguments.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './failure.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { parsePinnedRefs } from './refs.ts'
import { runForEach } from './several.ts'
import { formatSize } from './sizes.ts'

interface GetOptions extends ConnectionOptions, OutputOptions {
  readonly output?: string
  readonly force?: boolean
  readonly locked?: string
}

export function addGetCommand(program: Command, context: CliContext): void {
  const command = program
    .command('get')
    .description('fetch the bytes of a reference, verified by their SHA-256')
    .argument('<ref...>', 'bucket_id/artifact_id/version, with @sha256:… to accept no other digest')
    .option(
      '-o, --output <path>',
      'a file, a folder, or - for stdout (default: artifact_id-version in the current folder)',
    )
    .option('-f, --force', 'replace a file that has other bytes')
    .option('--locked <file>', 'take exactly what this lock file names')
    .addHelpText(
      'after',
      `
The file gets its name only after all bytes arrived and match the digest. A fetch that is stopped or fails leaves a
hidden partial file in the folder, and the same command continues it. A file that has the bytes already is not fetched
again; one with other bytes is replaced only with --force. Devices and pipes are never replaced: use -o - > PATH.
The last MiB goes to stdout only after the digest matched: smaller artifacts arrive whole or not at all.

Examples:
  bucket get prod-models/llama-3-8b/v3.1.0
  bucket get prod-models/llama-3-8b/v3.1.0@sha256:9f86d0…  -o model.safetensors
  bucket get evals/run-47/a evals/run-47/b -o results/
  bucket get datasets/snapshots/2026-11-23 -o - | tar xz`,
    )
    .action((texts: readonly string[], options: GetOptions) => getAll(texts, options, context))
  withOutput(withConnection(command))
}

interface Got {
  readonly path: string
  /** Pinned. */
  readonly ref: string
  readonly digest: string
  readonly size: number
  readonly fetched: boolean
}

async function getAll(texts: readonly string[], options: GetOptions, context: CliContext): Promise<void> {
  const refs = parsePinnedRefs(texts)
  if (refs.length > 1 && options.output !== undefined && !(await isFolder(options.output)))
    throw new UsageError(
      `${refs.length} artifacts cannot all be ${options.output}`,
      'Name a folder: -o FOLDER/.',
      'Several artifacts need a folder',
    )
  const document = await runForEach(refs, 'fetched', ({ ref, digest }) => get(ref, digest, options, context))
  if (options.json) await createOutput(options, context).result('', document)
}

/** @returns undefined if the bytes went to stdout. */
async function get(
  ref: ArtifactRef,
  pinned: Digest | undefined,
  options: GetOptions,
  context: CliContext,
): Promise<Got | undefined> {
  const { signal, stdout } = context
  if (options.output === '-' && options.json)
    throw new UsageError(
      'stdout cannot carry both the bytes and a JSON document',
      'Leave out --json, or -o -.',
      '--json does not go with -o -',
    )
  const output = createOutput(options, context, formatRef(ref))
  const bucket = await connect(options, context, output)
  try {
    const digest = options.locked === undefined ? pinned : await lockedDigest(options.locked, ref, pinned)
    const asked = { digest, onProgress: output.onProgress, signal }
    if (options.output === '-') {
      const stream = await bucket.get(ref, asked)
      await pipeline(stream, stdout, { end: false })
      output.remark(`${formatSize(stream.size)}, verified ${stream.digest}`)
      return undefined
    }
    const path = await targetPath(ref, options.output)
    const { fetched, ...verified } = await bucket
      .download(ref, path, { ...asked, force: options.force, onKept: output.kept })
      .catch(asUsage)
    if (!options.json) await output.result(`${path}\n`, undefined)
    output.remark(
      `${fetched ? '' : 'not fetched, the file is identical: '}${formatSize(verified.size)}, verified ${verified.digest}`,
    )
    return { path, ref: formatPinnedRef({ ref, digest: verified.digest }), ...verified, fetched }
  } finally {
    output.close()
  }
}

/** A path that cannot be written is a wrong argument. */
function asUsage(error: unknown): never {
  if (error instanceof Error && error.name === 'TargetError')
    throw new UsageError(
      error.message,
      errorCode(error) === 'EEXIST'
        ? 'Name another file with -o FILE, or replace this one with --force.'
        : 'Use -o FILE or -o FOLDER, or -o - to write the bytes to stdout.',
      errorCode(error) === 'EEXIST' ? 'The file has other bytes' : 'This path cannot be a file',
    )
  throw error
}

async function targetPath(ref: ArtifactRef, output: string | undefined): Promise<string> {
  if (output === undefined) return ownName(ref)
  return (await isFolder(output)) ? join(output, ownName(ref)) : output
}

/** Common file systems allow no longer name, in bytes, but two identifiers can make one. */
const MOST_NAME_BYTES = 255

/** The name that a browser would choose for the file. */
function ownName({ artifactId, version }: ArtifactRef): string {
  const name = `${artifactId}-${version}`
  if (name.length > MOST_NAME_BYTES)
    throw new UsageError(
      `the name artifact_id-version would have ${name.length} bytes, a file's can have ${MOST_NAME_BYTES}`,
      'Name the file: -o FILE.',
      'The name of the file would be too long',
    )
  return name
}

async function isFolder(path: string): Promise<boolean> {
  if (path.endsWith('/')) return true
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
