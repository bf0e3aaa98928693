/** `bucket list`: all versions of one artifact. */
import type { Command } from 'commander'
import type { Entry } from '../domain/entry.ts'
import { type ArtifactKey, formatArtifactKey } from '../domain/identifiers.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { entryDocument } from './documents.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { parseKeyArgument } from './refs.ts'
import { formatSize } from './sizes.ts'

type ListOptions = ConnectionOptions & OutputOptions

export function addListCommand(program: Command, context: CliContext): void {
  const command = program
    .command('list')
    .description('list all versions of an artifact with size, time and digest')
    .argument('<artifact>', 'bucket_id/artifact_id')
    .addHelpText(
      'after',
      `
The versions are in the byte order of their names, which says nothing about age or rank: your own registry knows which
version is the right one. With -q only the names of the versions are printed.

Examples:
  bucket list prod-models/llama-3-8b
  bucket list prod-models/llama-3-8b -q | tail -1
  bucket list prod-models/llama-3-8b --json | jq -r '.versions[].version'`,
    )
    .action((artifact: string, options: ListOptions) => list(parseKeyArgument(artifact), options, context))
  withOutput(withConnection(command))
}

/** The number of entries whose columns are aligned together. In a longer list the columns may shift. */
const PAGE = 1_000

async function list(key: ArtifactKey, options: ListOptions, context: CliContext): Promise<void> {
  const output = createOutput(options, context)
  const bucket = await connect(options, context, output)
  const isForPeople = 'isTTY' in context.stdout && context.stdout.isTTY === true
  const all: Entry[] = []
  let page: Entry[] = []
  let count = 0
  const print = async () => {
    if (page.length > 0) await output.result(table(page, isForPeople, count === page.length), undefined)
    page = []
  }
  for await (const entry of bucket.listVersions(key, context)) {
    count += 1
    if (options.json) all.push(entry)
    else if (options.quiet) await output.result(`${entry.ref.version}\n`, undefined)
    else page.push(entry)
    if (page.length === PAGE) await print()
  }
  await print()
  if (options.json) await output.result('', { versions: all.map(entryDocument) })
  if (count === 0) output.remark(`${formatArtifactKey(key)} has no versions`)
}

function table(entries: readonly Entry[], isForPeople: boolean, isFirst: boolean): string {
  const rows = entries.map(({ ref, size, createdAt, digest }) => [
    ref.version,
    formatSize(size),
    isForPeople ? localTime(createdAt) : createdAt,
    digest,
  ])
  if (isForPeople && isFirst) rows.unshift(['VERSION', 'SIZE', 'STORED', 'DIGEST'])
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map(([version = '', size = '', time = '', digest = '']) =>
      [version.padEnd(widths[0] ?? 0), size.padStart(widths[1] ?? 0), time.padEnd(16), digest].join('  '),
    )
    .map((line) => `${line}\n`)
    .join('')
}

/** `2026-11-23 04:00`, in the time zone of the terminal. */
function localTime(time: string): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return time
  const two = (number: number) => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`
}
