/** `bucket list`: all versions of one artifact. */
import type { Command } from 'commander'
import type { Entry } from '../domain/entry.ts'
import { type ArtifactKey, formatArtifactKey } from '../domain/identifiers.ts'
import { parseArtifactKey } from '../domain/refs.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { formatSize } from './sizes.ts'

type ListOptions = ConnectionOptions & OutputOptions

export function addListCommand(program: Command, context: CliContext): void {
  const command = program
    .command('list')
    .description(
      'list all versions of an artifact with digest, size and time, in the byte order of their names',
    )
    .argument('<artifact>', 'bucket_id/artifact_id')
    .addHelpText(
      'after',
      `
The order says nothing about age or rank: which version is the right one, your own registry knows.

Examples:
  bucket list prod-models/llama-3-8b
  bucket list prod-models/llama-3-8b --json | jq -r '.versions[].version'`,
    )
    .action((artifact: string, options: ListOptions) => list(parseArtifactKey(artifact), options, context))
  withOutput(withConnection(command))
}

async function list(key: ArtifactKey, options: ListOptions, context: CliContext): Promise<void> {
  const output = createOutput(options, context)
  const bucket = await connect(options, context, output)
  const entries: Entry[] = []
  for await (const entry of bucket.listVersions(key, context)) {
    entries.push(entry)
    if (!options.json) await output.result(line(entry), undefined)
  }
  if (options.json) await output.result('', { versions: entries.map(entryMessage) })
  if (entries.length === 0) output.remark(`${formatArtifactKey(key)} has no versions`)
}

const line = ({ digest, size, createdAt, ref }: Entry): string =>
  `${digest}  ${formatSize(size).padStart(10)}  ${createdAt}  ${ref.version}\n`
