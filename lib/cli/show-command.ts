/** `bucket show`: the entry of one artifact version. */
import type { Command } from 'commander'
import type { ArtifactRef } from '../domain/identifiers.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { entryDocument } from './documents.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { parseRefArgument } from './refs.ts'

type ShowOptions = ConnectionOptions & OutputOptions

export function addShowCommand(program: Command, context: CliContext): void {
  const command = program
    .command('show')
    .description('show the entry of a reference: digest, size, who stored it and when')
    .argument('<ref>', 'bucket_id/artifact_id/version')
    .addHelpText(
      'after',
      `
Examples:
  bucket show prod-models/llama-3-8b/v3.1.0
  bucket show prod-models/llama-3-8b/v3.1.0 --json | jq -r .digest`,
    )
    .action((ref: string, options: ShowOptions) => show(parseRefArgument(ref), options, context))
  withOutput(withConnection(command))
}

async function show(ref: ArtifactRef, options: ShowOptions, context: CliContext): Promise<void> {
  const output = createOutput(options, context)
  const bucket = await connect(options, context, output)
  const entry = await bucket.entry(ref, context)
  const lines = Object.entries(entryMessage(entry)).map(
    ([name, value]) => `${name.padEnd(18)} ${value ?? '-'}\n`,
  )
  await output.result(lines.join(''), entryDocument(entry))
}
