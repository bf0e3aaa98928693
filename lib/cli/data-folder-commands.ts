/** Commands for the owner of a data folder: `backup`, `restore`, `ls` and `erase`. They need no server. */
import type { Command } from 'commander'
import { formatPinnedRef, formatRef } from '../domain/identifiers.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import type { CliContext, CopyFolder, FolderDamage } from './context.ts'
import { type DataDirOptions, dataDirOf, existingDataDir, existingFolder, withDataDir } from './data-dir.ts'
import { entryDocument } from './documents.ts'
import { EXIT } from './exit-codes.ts'
import { ExitError, UsageError } from './failure.ts'
import { damageDocument, damageLine, NAMED } from './folder-damage.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { parseRefArgument } from './refs.ts'
import { count, formatSize } from './sizes.ts'

interface FolderOptions extends OutputOptions, DataDirOptions {}

const withFolderOptions = (command: Command): Command => withOutput(withDataDir(command))

export function addDataFolderCommands(program: Command, context: CliContext): void {
  withFolderOptions(
    program
      .command('backup')
      .description('copy a data folder, next to a running server')
      .argument('<folder>', 'the copy: an empty folder, a new one, or an earlier copy')
      .addHelpText(
        'after',
        `
The copy is a data folder of its own. The next run copies only what is new. Every blob is verified on the way; uploads
that are not committed are not copied. A version whose bytes are lost is copied without them and named: exit ${EXIT.digestMismatch}.

Examples:
  bucket backup /backup/bucket
  bucket fsck --data-dir /backup/bucket --verify`,
      ),
  ).action(async (folder: string, options: FolderOptions) => {
    const { backupFolder } = await context.dataFolder()
    await copy(backupFolder, await existingDataDir(options, context), folder, options, context)
  })

  withFolderOptions(
    program
      .command('restore')
      .description('copy a backup to a data folder that is empty or new')
      .argument('<backup>', 'a folder that bucket backup made'),
  ).action(async (backup: string, options: FolderOptions) => {
    const { restoreFolder } = await context.dataFolder()
    const from = await existingFolder(backup, 'No backup', 'Name a folder that `bucket backup` made.')
    await copy(restoreFolder, from, dataDirOf(options, context), options, context)
  })

  withFolderOptions(
    program
      .command('ls')
      .description('list everything in a data folder, in the order in which it was stored')
      .addHelpText(
        'after',
        `
Also next to a running server. With --json, each line is one entry. Exits with ${EXIT.digestMismatch} if the ledger is damaged, so that
entries are missing in the list.
To list the versions of one artifact from a server, use \`bucket list BUCKET_ID/ARTIFACT_ID\`.

Examples:
  bucket ls --data-dir /srv/bucket
  bucket ls --json | jq -r .digest`,
      ),
  ).action(async (options: FolderOptions) => {
    const output = createOutput({ ...options, json: false }, context)
    const { listFolder } = await context.dataFolder()
    await listFolder(await existingDataDir(options, context), async (entries) => {
      context.signal.throwIfAborted()
      const lines = entries.map((entry) =>
        options.json
          ? JSON.stringify(entryDocument(entry))
          : `${formatPinnedRef(entry)}  ${formatSize(entry.size)}`,
      )
      if (lines.length > 0) await output.result(`${lines.join('\n')}\n`, undefined)
    })
  })

  withFolderOptions(
    program
      .command('erase')
      .description('erase one version permanently, while no server runs on the folder')
      .argument('<ref>', 'bucket_id/artifact_id/version')
      .addHelpText(
        'after',
        `
For the owner of a folder who must erase something by law. The entry and its bytes are overwritten or removed in this folder;
copies in backups, in ledger.format-1.mdb, and at readers are not. The reference is free again afterwards.`,
      ),
  ).action(async (text: string, options: FolderOptions) => {
    const ref = parseRefArgument(text)
    const output = createOutput(options, context)
    const { eraseVersion } = await context.dataFolder()
    const erased = await eraseVersion(await existingDataDir(options, context), ref)
    await output.result(erased ? `erased ${formatPinnedRef({ ref, digest: erased.digest })}\n` : '', {
      erased: erased ? entryMessage(erased) : null,
    })
    if (erased) return
    output.remark(`${formatRef(ref)} is not stored`)
    throw new ExitError(EXIT.notFound)
  })
}

async function copy(
  copyFolder: CopyFolder,
  from: string,
  to: string,
  options: FolderOptions,
  context: CliContext,
): Promise<void> {
  if (to === '')
    throw new UsageError(
      'the name of the copy is empty',
      'Name a folder for the copy.',
      'The copy has no name',
    )
  const output = createOutput(options, context)
  const lost: LostBlob[] = []
  let lostCount = 0
  const { signal } = context
  const report = await copyFolder(from, to, {
    signal,
    onLost(blob) {
      lostCount += 1
      if (lost.length < NAMED) lost.push(blob)
    },
  })
  const { entries, copiedBlobs, copiedBytes } = report
  await output.result(
    [
      ...lost.map((blob) => `${blob.isInCopy ? 'the copy has it  ' : ''}${damageLine(blob)}`),
      `${to} has ${count(entries, 'entry', 'entries')}; ${count(copiedBlobs, 'blob', 'blobs')} and ${formatSize(copiedBytes)} were copied\n`,
    ].join(''),
    {
      ...report,
      damaged: {
        count: lostCount,
        entries: lost.map((blob) => ({ ...damageDocument(blob), in_copy: blob.isInCopy })),
      },
    },
  )
  if (lostCount === 0) return
  output.remark(
    `${lostCount === 1 ? '1 version has lost its' : `${lostCount} versions have lost their`} bytes in ${from}: a \`bucket put\` of the same bytes brings each back`,
  )
  throw new ExitError(EXIT.digestMismatch)
}

type LostBlob = FolderDamage & { readonly isInCopy: boolean }
