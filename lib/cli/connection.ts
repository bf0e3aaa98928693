/** How the client's commands reach a Bucket: address, authorization, from options and environment. */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Auth, BucketClient } from '../client/node.ts'
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './failure.ts'
import type { Output } from './output.ts'
import { parseDuration } from './sizes.ts'

export interface ConnectionOptions {
  readonly url?: string
  readonly auth?: string
  readonly timeout?: string
  readonly caFile?: string
}

export const withConnection = (command: Command): Command =>
  command
    .option('--url <url>', `root of the API (env: ${CLI_ENVIRONMENT.url}, default: http://127.0.0.1:9470/v1)`)
    .option(
      '--auth <kind>',
      `none, iam, bearer or api-key (env: ${CLI_ENVIRONMENT.auth}); the token of bearer comes from ${CLI_ENVIRONMENT.token}; the key in ${CLI_ENVIRONMENT.apiKey}, where that is set, is sent with each of them`,
    )
    .option(
      '--ca-file <file>',
      'certificates (PEM) to trust in addition, for a private authority (env: BUCKET_CA_FILE)',
    )
    .option(
      '--timeout <time>',
      'how long to wait for a server that stopped answering: 30s, 5m (default: 10m)',
    )

/** Loads the client only now: a command that needs none starts without it. */
export async function connect(
  options: ConnectionOptions,
  { environment }: CliContext,
  { onEvent }: Pick<Output, 'onEvent'>,
): Promise<BucketClient> {
  const url = options.url ?? (environment[CLI_ENVIRONMENT.url] || undefined)
  if (url !== undefined && !(URL.canParse(url) && /^https?:\/\//i.test(url)))
    throw new UsageError(
      `${JSON.stringify(url)} is not an http or https address`,
      'Give the root of the API, as in http://127.0.0.1:9470/v1.',
    )
  const auth = readAuth(options.auth ?? (environment[CLI_ENVIRONMENT.auth] || undefined), environment)
  const apiKey = environment[CLI_ENVIRONMENT.apiKey] || undefined
  const patience = options.timeout === undefined ? undefined : parseDuration(options.timeout)
  if (patience && !patience.ok) throw new UsageError(`--timeout: ${patience.error}`, 'Write --timeout 5m.')
  const caFile = options.caFile ?? (environment.BUCKET_CA_FILE || undefined)
  const ca = caFile === undefined ? undefined : await readFile(caFile)
  const { BucketClient } = await import('../client/node.ts')
  try {
    return new BucketClient({
      url,
      auth,
      apiKey,
      ca,
      onEvent,
      ...(patience && { retry: { patienceMs: patience.value }, timeouts: timeoutsWithin(patience.value) }),
    })
  } catch (error) {
    if (error instanceof TypeError && 'code' in error && error.code === 'region_missing')
      throw new UsageError(error.message, `Set ${CLI_ENVIRONMENT.awsRegion} to the region of the API.`)
    if (error instanceof TypeError)
      throw new UsageError(
        error.message,
        `Check --url and --auth, and what ${CLI_ENVIRONMENT.token}, ${CLI_ENVIRONMENT.apiKey} and ${CLI_ENVIRONMENT.awsRegion} hold.`,
      )
    throw error
  }
}

/** A single wait is never longer than the patience as a whole. */
const timeoutsWithin = (patienceMs: number) =>
  patienceMs < 30_000 ? { idleMs: patienceMs, verificationIdleMs: patienceMs } : {}

/**
 * @param kind none, iam, bearer or api-key; undefined leaves the choice to the client.
 * @throws UsageError for another kind, or if the environment lacks its secret.
 */
export function readAuth(kind: string | undefined, environment: CliContext['environment']): Auth | undefined {
  const secret = (name: string) => {
    const value = environment[name]
    if (value) return value
    throw new UsageError(`--auth ${kind} needs a secret, and ${name} is not set`, `Set ${name}.`)
  }
  switch (kind) {
    case undefined:
      return undefined
    case 'none':
      return { kind }
    case 'bearer':
      return { kind, token: secret(CLI_ENVIRONMENT.token) }
    case 'api-key':
      return { kind, key: secret(CLI_ENVIRONMENT.apiKey) }
    case 'iam': {
      const region = environment[CLI_ENVIRONMENT.awsRegion] || environment[CLI_ENVIRONMENT.awsDefaultRegion]
      return { kind, ...(region && { region }) }
    }
    default:
      throw new UsageError(
        `${JSON.stringify(kind)} is not a kind of authorization`,
        'Use none, iam, bearer or api-key.',
      )
  }
}
