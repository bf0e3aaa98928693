/** `bucket push` and `bucket pull`: a folder as one artifact version, file by file. */
import type { Command } from 'commander'
import type { Progress, PushOptions } from '../client/node.ts'
import { DESCRIPTION_MEMBERS, type DescriptionInput, descriptionInput } from '../domain/description.ts'
import { formatPinnedRef } from '../domain/identifiers.ts'
import { collect, lockedDigest, parseParallel } from './arguments.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { withDescription } from './description-options.ts'
import { PartialFailure, UsageError } from './failure.ts'
import { createOutput, KEPT_BY_SERVER, type Output, type OutputOptions, withOutput } from './output.ts'
import { parsePinnedRef } from './refs.ts'
import { formatSize } from './sizes.ts'

interface PushFlags extends ConnectionOptions, OutputOptions, DescriptionInput {
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  readonly parallel?: number
  readonly dryRun?: boolean
  readonly cache?: boolean
  readonly lock?: string
}

interface PullFlags extends ConnectionOptions, OutputOptions {
  readonly parallel?: number
  readonly force?: boolean
  readonly locked?: string
}

export function addFolderCommands(program: Command, context: CliContext): void {
  const push = program
    .command('push')
    .description('store a folder: its files, then a manifest of them under the reference')
    .argument('<ref>', 'bucket_id/artifact_id/version, with @sha256:… to pin the manifest')
    .argument('<folder>', 'the folder')
    .option('--include <pattern>', 'only files that match, such as *.json; may be repeated', collect)
    .option('--exclude <pattern>', 'no files or folders that match; may be repeated', collect)
    .option('--parallel <number>', 'files at once (default: 8)', parseParallel)
    .option('--dry-run', 'show what would be sent, and the pinned reference; send nothing')
    .option('--no-cache', 'hash every file again')
    .option('--lock <file>', 'add the pinned reference to a lock file, such as bucket.lock')
    .addHelpText(
      'after',
      `
Files that are stored already are not sent again. The manifest comes last, so half a folder is never visible, and after an
interruption the same command sends only what is missing.

Examples:
  bucket push prod-models/llama-3-8b/v3.1.0 ./checkpoint --exclude '*.tmp'
  bucket push datasets/snapshots/2026-11-23 ./snapshot --dry-run
  bucket push datasets/snapshots/2026-11-23 ./snapshot --lock bucket.lock`,
    )
    .action((text: string, folder: string, options: PushFlags) => pushFolder(text, folder, options, context))
  // The manifest has a media type of its own.
  const described = DESCRIPTION_MEMBERS.filter((member) => member !== 'contentType')
  withOutput(withConnection(withDescription(push, described)))

  const pull = program
    .command('pull')
    .description('fetch a folder that was stored with push, every file verified')
    .argument('<ref>', 'bucket_id/artifact_id/version, with @sha256:… to accept no other manifest')
    .argument('<folder>', 'where it goes: a new folder, or an empty one')
    .option('--parallel <number>', 'files at once (default: 8)', parseParallel)
    .option('-f, --force', 'replace a folder that has other content')
    .option('--locked <file>', 'take exactly what this lock file names')
    .addHelpText(
      'after',
      `
The folder gets its name when all files are there and verified. A pull that is stopped or fails leaves a hidden folder
next to it, and the same command continues. A folder that has this content already is not fetched again.

Examples:
  bucket pull prod-models/llama-3-8b/v3.1.0 ./checkpoint
  bucket pull datasets/snapshots/2026-11-23 ./snapshot --locked bucket.lock`,
    )
    .action((text: string, folder: string, options: PullFlags) => pullFolder(text, folder, options, context))
  withOutput(withConnection(pull))
}

/** Concurrent transfers share one line: the number of finished files, and the total bytes. */
const filesProgress =
  ({ line }: Output) =>
  (progress: Progress): void => {
    const { files } = progress
    line?.report({ ...progress, name: files && `${files.done} of ${files.total} files` })
  }

async function pushFolder(
  text: string,
  folder: string,
  options: PushFlags,
  context: CliContext,
): Promise<void> {
  const { ref, digest } = parsePinnedRef(text)
  const { include, exclude, parallel, dryRun, cache, lock } = options
  const output = createOutput(options, context)
  const bucket = await connect(options, context, output)
  const { addToLockFile, checkLockFile } = await import('../client/node.ts')
  if (lock !== undefined) await checkLockFile(lock)
  const asked: PushOptions = {
    ...descriptionInput(options),
    ...{ include, exclude, parallel, dryRun, digest },
    cacheFolder: cache === false ? false : undefined,
    beforeSending: async (manifest) => {
      if (lock !== undefined) await checkLockFile(lock, ref, manifest)
    },
    onProgress: filesProgress(output),
    signal: context.signal,
  }
  try {
    const { manifest, sent, restored, size, created, ...pushed } = await bucket.push(ref, folder, asked)
    const pinned = formatPinnedRef({ ref, digest: pushed.digest })
    const files = manifest.entries.filter(({ type }) => type === 'file').length
    const document = { ref: pinned, created, dry_run: dryRun === true, files, size, sent, restored }
    const lines = dryRun ? sent.map((path) => `would send  ${shownPath(path)}\n`).join('') : ''
    if (!options.json) await output.result(`${lines}${pinned}\n`, undefined)
    if (lock !== undefined && pushed.entry)
      await addToLockFile(lock, ref, pushed.entry).catch((error) => {
        throw new PartialFailure(document, error)
      })
    if (options.json) await output.result('', document)
    const state = dryRun ? 'not stored' : created ? 'stored' : 'already stored, identical'
    output.remark(
      `${state}: ${files} files, ${formatSize(size)}; ${sent.length} ${dryRun ? 'to send' : 'sent'}${restored.length > 0 ? `, ${restored.length} that the server had lost restored` : ''}`,
    )
  } catch (error) {
    if (context.signal.aborted && !dryRun) output.remark(KEPT_BY_SERVER)
    throw error
  } finally {
    output.close()
  }
}

async function pullFolder(
  text: string,
  folder: string,
  options: PullFlags,
  context: CliContext,
): Promise<void> {
  const { ref, digest } = parsePinnedRef(text)
  const { parallel, force, locked } = options
  const output = createOutput(options, context)
  const bucket = await connect(options, context, output)
  try {
    const expected = locked === undefined ? digest : await lockedDigest(locked, ref, digest)
    const pulling = bucket.pull(ref, folder, {
      ...{ digest: expected, parallel, force },
      onProgress: filesProgress(output),
      onKept: output.kept,
      signal: context.signal,
    })
    const pulled = await pulling.catch(withForceOption)
    const files = pulled.manifest.entries.filter(({ type }) => type === 'file').length
    await output.result(`${folder}\n`, {
      path: folder,
      ref: formatPinnedRef({ ref, digest: pulled.digest }),
      files,
      size: pulled.size,
      fetched: pulled.fetched,
    })
    output.remark(
      pulled.fetched === 0 && pulled.size > 0
        ? `nothing fetched, the folder is identical: ${files} files, ${formatSize(pulled.size)}, verified`
        : `${files} files, ${formatSize(pulled.size)}, verified`,
    )
  } finally {
    output.close()
  }
}

/** A name may contain control sequences. */
const shownPath = (path: string): string => (/\p{Cc}/u.test(path) ? JSON.stringify(path) : path)

/** The remedy in the words of the command line. */
function withForceOption(error: unknown): never {
  if (error instanceof Error && 'code' in error && error.code === 'target_exists')
    throw new UsageError(
      error.message,
      'Choose another folder, or replace the whole folder with --force.',
      'The folder has other content',
    )
  throw error
}
