/** `bucket fsck`: compares a data folder with its ledger, and changes nothing. */
import type { Command } from 'commander'
import { formatRef } from '../domain/identifiers.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import type { CliContext, FolderDamage, UnreferencedBlob } from './context.ts'
import { type DataDirOptions, existingDataDir, withDataDir } from './data-dir.ts'
import { EXIT } from './exit-codes.ts'
import { ExitError } from './failure.ts'
import { createOutput, type Output, type OutputOptions, withOutput } from './output.ts'
import { formatSize } from './sizes.ts'

interface FsckOptions extends OutputOptions, DataDirOptions {
  readonly verify?: boolean
}

/** More names than this are counted, not printed. */
const NAMED = 1_000

export function addFsckCommand(program: Command, context: CliContext): void {
  const command = withDataDir(
    program.command('fsck').description('check a data folder against its ledger, while no server runs on it'),
  )
    .option('--verify', 'read every byte and compare the digests: as long as reading the disk takes')
    .addHelpText(
      'after',
      `
Reports entries whose bytes are missing or wrong, and blobs that no entry names (they lost a race, or were never
committed; they cannot be fetched). It changes nothing. Without --verify only names and sizes are compared.

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
  const dataDir = await existingDataDir(options, context)
  const damaged: FolderDamage[] = []
  const unreferenced: UnreferencedBlob[] = []
  const ledgerDamage: string[] = []
  let damagedCount = 0
  let unreferencedCount = 0
  let unreferencedSize = 0
  const { entries, size } = await checkFolder(dataDir, {
    verify: options.verify ?? false,
    signal,
    onDamage(damage) {
      damagedCount += 1
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
    ...ledgerDamage.map((message) => `ledger  ${message}\n`),
    ...damaged.map(damageLine),
    ...unreferenced.map(({ path, size: bytes }) => `unreferenced  ${path}  ${formatSize(bytes)}\n`),
    `${count(entries, 'entry', 'entries')}, ${formatSize(size)}: ${verdict(damagedCount, options.verify)}\n`,
    `${count(unreferencedCount, 'unreferenced blob', 'unreferenced blobs')}, ${formatSize(unreferencedSize)}\n`,
  ]
  await tell(output, text.join(''), {
    entries,
    size,
    verified: options.verify ?? false,
    damaged: { count: damagedCount, ledger: ledgerDamage, entries: damaged.map(damageDocument) },
    unreferenced: { count: unreferencedCount, size: unreferencedSize, blobs: unreferenced },
  })
  if (damagedCount > 0) throw new ExitError(EXIT.digestMismatch)
}

async function tell(output: Output, text: string, document: unknown): Promise<void> {
  await output.result(text, document)
  output.close()
}

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`

const verdict = (damaged: number, verify: boolean | undefined): string => {
  if (damaged > 0) return `${damaged} damaged`
  return verify
    ? 'all of them have their bytes'
    : 'all of them have a blob of their size (--verify reads the bytes)'
}

const WORDS: { readonly [F in FolderDamage['fault']]: string } = {
  missing: 'missing',
  wrong_size: 'wrong size',
  wrong_digest: 'wrong digest',
  unreadable: 'unreadable',
}

function damageLine({ entry, fault, path, foundSize, foundDigest }: FolderDamage): string {
  const found = foundSize !== undefined ? `${foundSize} bytes instead of ${entry.size}` : (foundDigest ?? '')
  return `${WORDS[fault]}  ${formatRef(entry.ref)}@${entry.digest}  ${path}${found && `  (${found})`}\n`
}

const damageDocument = ({ entry, fault, path, foundSize, foundDigest }: FolderDamage) => ({
  fault,
  path,
  entry: entryMessage(entry),
  found_size: foundSize,
  found_digest: foundDigest,
})
