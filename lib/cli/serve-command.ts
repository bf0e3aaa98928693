/** `bucket serve`: runs a server until a signal stops it. `bin/` does the wiring; this module has the options, the texts and the stop. */
import { once } from 'node:events'
import type { Command } from 'commander'
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
import { collect } from './arguments.ts'
import type { CliContext } from './context.ts'
import { StopFailure } from './failure.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { isLoopback, readServeSettings, type ServeOptions } from './serve-settings.ts'

export function addServeCommand(program: Command, context: CliContext): void {
  const env = CLI_ENVIRONMENT
  const command = program
    .command('serve')
    .description('run a server on a folder of this machine, or on S3 and DynamoDB')
    .option('--store <kind>', `local, or aws for S3 and DynamoDB (env: ${env.store}, default: local)`)
    .option('--host <address>', `where to listen (env: ${env.host}, default: 127.0.0.1)`)
    .option('--port <number>', `0 for any free one (env: ${env.port}, default: 9470)`)
    .option('--data-dir <folder>', `where artifacts are kept (env: ${env.dataDir}, default: .bucket)`)
    .option(
      '--max-artifact-bytes <size>',
      `the largest artifact (env: ${env.maxArtifactBytes}, default: 5GiB)`,
    )
    .option('--public-url <url>', `the address that a proxy in front has (env: ${env.publicUrl})`)
    .option(
      '--allowed-host <host>',
      `an additional Host to accept, with a port or for any; repeatable (env: ${env.allowedHosts}, with commas)`,
      collect,
    )
    .option(
      '--drain-limit <time>',
      `how long a stop waits for running requests (env: ${env.drainLimit}, default: 30s)`,
    )
    .option(
      '--min-body-rate <size>',
      `minimum bytes per second of a request body (env: ${env.minBodyRate}, default: 1KiB)`,
    )
    .option(
      '--body-grace <time>',
      `the period over which that rate is measured (env: ${env.bodyGrace}, default: 60s)`,
    )
    .option(
      '--max-connections <number>',
      `further connections are refused (env: ${env.maxConnections}, default: 1024)`,
    )
    .addHelpText(
      'after',
      `
One line on stdout says when it is ready and where; operations are logged on stderr, a line of JSON each.
SIGTERM or Ctrl-C finishes running requests, for --drain-limit at most; a second one does not wait.

Examples:
  bucket serve
  bucket serve --port 0 --data-dir /srv/bucket --max-artifact-bytes 20GiB
  BUCKET_DATA_DIR=/srv/bucket bucket serve --public-url https://artifacts.example
  bucket serve --store aws --blob-bucket blobs --staging-bucket staging --ledger-table ledger --uploads-table uploads`,
    )
    .action((options: ServeOptions & OutputOptions) => serve(options, context))
  withOutput(withAwsOptions(command))
}

/** The options that name S3 buckets, tables and the queue. */
export function withAwsOptions(command: Command): Command {
  const env = CLI_ENVIRONMENT
  return command
    .option('--blob-bucket <name>', `aws: the S3 bucket of the blobs (env: ${env.blobBucket})`)
    .option('--staging-bucket <name>', `aws: the S3 bucket of unfinished uploads (env: ${env.stagingBucket})`)
    .option('--ledger-table <name>', `aws: the table of the entries (env: ${env.ledgerTable})`)
    .option('--uploads-table <name>', `aws: the table of unfinished uploads (env: ${env.uploadsTable})`)
    .option(
      '--verification-queue-url <url>',
      `aws: of a deployed verifier (env: ${env.verificationQueueUrl}, default: this server verifies)`,
    )
    .option('--region <name>', `aws (env: ${env.awsRegion}, default: the region of the AWS SDK)`)
    .option(
      '--s3-public-endpoint <url>',
      `aws: the address of S3 in links, if clients need another one (env: ${env.s3PublicEndpoint})`,
    )
}

async function serve(options: ServeOptions & OutputOptions, context: CliContext): Promise<void> {
  const { environment, signal, startServer } = context
  const output = createOutput(options, context)
  const settings = readServeSettings(options, environment)
  if (!isLoopback(settings.host))
    output.remark(
      `warning: ${settings.host} is reachable from other machines, and this server has neither authentication nor TLS: put a proxy that has both in front of it`,
    )
  const server = await startServer(settings)
  const { url } = server
  await output.result(`Bucket is ready at ${url}\n`, { url, store: settings.store })
  if (!signal.aborted) await once(signal, 'abort')
  output.remark('stopping: running requests are finished first')
  await server.stop().catch((error: unknown) => {
    throw new StopFailure(error)
  })
}
