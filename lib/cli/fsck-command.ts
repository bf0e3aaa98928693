/** `bucket fsck`: compares a data folder with its ledger. It changes nothing, unless its owner asks it to clear damage away. */
import type { Command } from 'commander'
import type { CliContext, FolderDamage, UnreferencedBlob } from './context.ts'
import { type DataDirOptions, existingDataDir, withDataDir } from './data-dir.ts'
import { EXIT } from './exit-codes.ts'
import { ExitError, UsageError } from './failure.ts'
import { damageDocument, damageLine, NAMED } from './folder-damage.ts'
import { createOutput, type Output, type OutputOptions, withOutput } from './output.ts'
import { count, formatSize } from './sizes.ts'

interface FsckOptions extends OutputOptions, DataDirOptions {
  readonly verify?: boolean
  readonly quarantine?: boolean
  readonly discardDamage?: boolean
}

export function addFsckCommand(program: Command, context: CliContext): void {
  const command = withDataDir(
    program.command('fsck').description('check a data folder against its ledger, while no server runs on it'),
  )
    .option('--verify', 'read every byte and compare the digests: as long as reading the disk takes')
    .option(
      '--quarantine',
      'with --verify: move blobs with wrong bytes aside, so that a store of the right bytes restores them',
    )
    .option(
      '--discard-damage',
      'give up the records of the ledger that cannot be read or are lost, when no backup has them',
    )
    .addHelpText(
      'after',
      `
Reports entries whose bytes are missing or wrong, and blobs that no entry names (they lost a race, or were never
committed; they cannot be fetched). Without --verify only names and sizes are compared. It changes nothing, except:

--quarantine moves a blob with wrong bytes to the same place below quarantine/. Then \`bucket put\` of the right bytes under
the same reference restores it. (A blob that is missing or has another size needs no quarantine.)

--discard-damage forgets the versions whose records cannot be read, and those that an older ledger lacks. Their references
are free again, also for other bytes, and the server accepts stores again. It also makes a lost blobs folder again: the
entries stay, and a store of the same bytes restores each artifact. Restore the ledger or the blobs from a backup instead
if you have one. Copy the folder first.

Exits with ${EXIT.done} when every entry has its bytes, unreferenced blobs or not, and with ${EXIT.digestMismatch} when bytes are missing or
wrong, or when the ledger is damaged or missing.

Examples:
  bucket fsck
  bucket fsck --data-dir /srv/bucket --verify
  bucket fsck --json | jq '.unreferenced.size'`,
    )
    .action((options: FsckOptions) => fsck(options, context))
  withOutput(command)
}

async function fsck(options: FsckOptions, context: CliContext): Promise<void> {
  const { signal, checkFolder } = context
  const output = createOutput(options, context)
  const { verify = false, quarantine = false } = options
  if (quarantine && !verify)
    throw new UsageError(
      'only --verify finds the wrong bytes that --quarantine moves aside',
      'Add --verify.',
      '--quarantine needs --verify',
    )
  const dataDir = await existingDataDir(options, context)
  const discarded = options.discardDamage ? await (await context.dataFolder()).discardDamage(dataDir) : []
  const damaged: FolderDamage[] = []
  const unreferenced: UnreferencedBlob[] = []
  const ledgerDamage: string[] = []
  /** Entries, and findings about the ledger or the folder of the blobs. */
  let damagedCount = 0
  let damagedEntries = 0
  let unreferencedCount = 0
  let unreferencedSize = 0
  const { entries, size } = await checkFolder(dataDir, {
    verify,
    quarantine,
    signal,
    onDamage(damage) {
      damagedCount += 1
      damagedEntries += 1
      if (damaged.length < NAMED) damaged.push(damage)
    },
    onLedgerDamage(message) {
      damagedCount += 1
      if (ledgerDamage.length < NAMED) ledgerDamage.push(message)
    },
    onUnreferenced(blob) {
      unreferencedCount += 1
      unreferencedSize += blob.size
      if (unreferenced.length < NAMED) unreferenced.push(blob)
    },
    onProgress: (bytes, total) => output.onProgress?.({ phase: 'verifying', bytes, total }),
  })
  const text = [
    ...discarded.map((message) => `discarded  ${message}\n`),
    ...ledgerDamage.map((message) => `ledger  ${message}\n`),
    ...damaged.map(damageLine),
    ...unreferenced.map(({ path, size: bytes }) => `unreferenced  ${path}  ${formatSize(bytes)}\n`),
    `${count(entries, 'entry', 'entries')}, ${formatSize(size)}: ${damagedCount > 0 ? `${damagedEntries} damaged` : intact(verify)}\n`,
    `${count(unreferencedCount, 'unreferenced blob', 'unreferenced blobs')}, ${formatSize(unreferencedSize)}${unreferencedCount > 0 ? ': their references are free, unless they have another entry' : ''}\n`,
  ]
  await tell(output, text.join(''), {
    entries,
    size,
    verified: verify,
    ...(options.discardDamage && { discarded }),
    damaged: { count: damagedCount, ledger: ledgerDamage, entries: damaged.map(damageDocument) },
    unreferenced: { count: unreferencedCount, size: unreferencedSize, blobs: unreferenced },
  })
  if (damagedCount > 0) throw new ExitError(EXIT.digestMismatch)
}

async function tell(output: Output, text: string, document: unknown): Promise<void> {
  await output.result(text, document)
  output.close()
}

const intact = (verify: boolean): string =>
  verify ? 'all of them have their bytes' : 'all of them have a blob of their size (--verify reads the bytes)'
