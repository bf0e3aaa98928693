/** How the client's commands reach a Bucket: address, authorization, from options and environment. */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Auth, BucketClient } from '../client/node.ts'
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
import { type Chosen, type SettingsReader, settingsReader } from './config-file.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './failure.ts'
import type { Output } from './output.ts'
import { parseDuration } from './sizes.ts'

export interface ConnectionOptions {
  readonly url?: string
  readonly auth?: string
  readonly timeout?: string
  readonly caFile?: string
  readonly profile?: string
}

export const withConnection = (command: Command): Command =>
  command
    .option('--url <url>', `root of the API (env: ${CLI_ENVIRONMENT.url}, default: http://127.0.0.1:9470/v1)`)
    .option(
      '--auth <kind>',
      `none, iam, bearer or api-key (env: ${CLI_ENVIRONMENT.auth}); the token of bearer comes from ${CLI_ENVIRONMENT.token}; ${CLI_ENVIRONMENT.apiKey}, if set, is always sent as well`,
    )
    .option(
      '--ca-file <file>',
      `certificates (PEM) to trust in addition, for a private authority (env: ${CLI_ENVIRONMENT.caFile})`,
    )
    .option(
      '--timeout <time>',
      `how long to wait for a server that stopped answering: 30s, 5m (env: ${CLI_ENVIRONMENT.timeout}, default: 10m)`,
    )
    .option('--profile <name>', `a profile of the configuration file (env: ${CLI_ENVIRONMENT.profile})`)

/** The settings of a connection, each with its origin. */
export interface ChosenConnection {
  readonly reader: SettingsReader
  readonly url: Chosen | undefined
  readonly auth: Chosen | undefined
  readonly caFile: Chosen | undefined
  readonly timeout: Chosen | undefined
  readonly region: Chosen | undefined
}

/** @throws UsageError for an unknown profile or an invalid configuration file. */
export async function chooseConnection(
  { url, auth, caFile, timeout, profile }: ConnectionOptions,
  { environment }: CliContext,
): Promise<ChosenConnection> {
  const reader = await settingsReader(profile, environment)
  return {
    reader,
    url: reader.choose('url', url, CLI_ENVIRONMENT.url),
    auth: reader.choose('auth', auth, CLI_ENVIRONMENT.auth),
    caFile: reader.choose('caFile', caFile, CLI_ENVIRONMENT.caFile),
    timeout: reader.choose('timeout', timeout, CLI_ENVIRONMENT.timeout),
    region: reader.choose('region', undefined, CLI_ENVIRONMENT.awsRegion, CLI_ENVIRONMENT.awsDefaultRegion),
  }
}

/** Loads the client only now: a command that needs none starts without it. */
export async function connect(
  options: ConnectionOptions,
  context: CliContext,
  output: Pick<Output, 'onEvent'>,
): Promise<BucketClient> {
  return await connectTo(await chooseConnection(options, context), context, output)
}

export async function connectTo(
  { url, auth: kind, caFile, timeout, region }: ChosenConnection,
  { environment }: CliContext,
  { onEvent }: Pick<Output, 'onEvent'>,
): Promise<BucketClient> {
  if (url !== undefined && !(URL.canParse(url.value) && /^https?:\/\//i.test(url.value)))
    throw new UsageError(
      `${JSON.stringify(url.value)} is not an http or https address${origin(url)}`,
      'Give the root of the API, as in http://127.0.0.1:9470/v1.',
      'Invalid address',
    )
  const auth = readAuth(kind?.value, environment, region?.value, kind && origin(kind))
  const apiKey = environment[CLI_ENVIRONMENT.apiKey] || undefined
  const patienceMs = timeout && parsePatience(timeout)
  const ca = caFile === undefined ? undefined : await readFile(caFile.value)
  const { BucketClient } = await import('../client/node.ts')
  try {
    return new BucketClient({
      url: url?.value,
      auth,
      apiKey,
      ca,
      onEvent,
      ...(patienceMs !== undefined && { retry: { patienceMs }, timeouts: timeoutsWithin(patienceMs) }),
    })
  } catch (error) {
    const code = error instanceof TypeError && 'code' in error ? error.code : undefined
    if (error instanceof TypeError && code === 'region_missing')
      throw new UsageError(
        error.message,
        `Set ${CLI_ENVIRONMENT.awsRegion}, or region in the configuration file, to the region of the API.`,
        'Missing region',
      )
    if (error instanceof TypeError && caFile !== undefined && code === 'ca_invalid')
      throw new UsageError(
        `${JSON.stringify(caFile.value)}${origin(caFile)}: ${error.message}`,
        'Give the certificates of the authority in PEM form (-----BEGIN CERTIFICATE-----). To convert a DER file: openssl x509 -inform der -in FILE -out FILE.pem',
        'Invalid certificate file',
      )
    if (error instanceof TypeError)
      throw new UsageError(
        error.message,
        `Check --url and --auth, and what ${CLI_ENVIRONMENT.token}, ${CLI_ENVIRONMENT.apiKey} and ${CLI_ENVIRONMENT.awsRegion} hold.`,
        'Invalid connection',
      )
    throw error
  }
}

/** The kind of authorization that the client uses at an address: the chosen one, or that of the kind of address. */
export const authKind = (url: string, chosen: Chosen | undefined): string =>
  chosen?.value ?? (/\.execute-api\./.test(url) ? 'iam' : 'none')

/** The origin of a wrong setting, unless the command line itself shows it. */
const origin = ({ from }: Chosen): string => (from === 'option' ? '' : ` (from ${from})`)

/** @returns milliseconds. */
function parsePatience(timeout: Chosen): number {
  const duration = parseDuration(timeout.value)
  if (duration.ok) return duration.value
  throw new UsageError(
    `--timeout: ${duration.error}${origin(timeout)}`,
    'Write --timeout 5m.',
    'Invalid duration',
  )
}

/** A single wait is never longer than the patience as a whole. */
const timeoutsWithin = (patienceMs: number) =>
  patienceMs < 30_000 ? { idleMs: patienceMs, verificationIdleMs: patienceMs } : {}

/**
 * @param kind none, iam, bearer or api-key; undefined leaves the choice to the client.
 * @param from the origin of `kind`, as the end of a sentence.
 * @throws UsageError for another kind, or if the environment lacks its secret.
 */
export function readAuth(
  kind: string | undefined,
  environment: CliContext['environment'],
  region: string | undefined,
  from = '',
): Auth | undefined {
  const secret = (name: string) => {
    const value = environment[name]
    if (value) return value
    throw new UsageError(
      `--auth ${kind} needs a secret, and ${name} is not set`,
      `Set ${name}.`,
      'Missing secret',
    )
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
    case 'iam':
      return { kind, ...(region && { region }) }
    default:
      throw new UsageError(
        `${JSON.stringify(kind)} is not a kind of authorization${from}`,
        'Use none, iam, bearer or api-key.',
        'Unknown kind of authorization',
      )
  }
}
