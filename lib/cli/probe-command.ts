/** `bucket probe`: checks that S3, DynamoDB and SQS meet the requirements of `serve --store aws`. */
import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { EXIT } from './exit-codes.ts'
import { ExitError, UsageError } from './failure.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { withAwsOptions } from './serve-command.ts'
import { readServeSettings, type ServeOptions } from './serve-settings.ts'

export function addProbeCommand(program: Command, context: CliContext): void {
  const command = program
    .command('probe')
    .description('check that S3, DynamoDB and SQS meet the needs of a server')
    .option('--store <kind>', 'aws', 'aws')
    .addHelpText(
      'after',
      `
\`bucket serve --store aws\` makes the same checks before it starts. They use scratch keys in the staging bucket and a
scratch row in the uploads table, and remove them.

Exits with ${EXIT.done} if every need is met, and with ${EXIT.unavailable} if not.

Examples:
  bucket probe --store aws --blob-bucket blobs --staging-bucket staging --ledger-table ledger --uploads-table uploads`,
    )
    .action((options: ServeOptions & OutputOptions) => probe(options, context))
  withOutput(withAwsOptions(command))
}

async function probe(options: ServeOptions & OutputOptions, context: CliContext): Promise<void> {
  const output = createOutput(options, context)
  const settings = readServeSettings(options, context.environment)
  if (settings.store !== 'aws')
    throw new UsageError(
      'only --store aws can be probed',
      'Use `bucket fsck` for a data folder.',
      'Nothing to probe',
    )
  const results = await context.probeStores(settings)
  const lines = results.map(({ need, problem }) =>
    problem === null ? `ok      ${need}` : `FAILED  ${need}: ${problem}`,
  )
  await output.result(`${lines.join('\n')}\n`, { results })
  if (results.some(({ problem }) => problem !== null)) throw new ExitError(EXIT.unavailable)
}
