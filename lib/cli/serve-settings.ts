/** The settings of `serve`: every option has an environment name, and all errors are reported at once. */
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
import { DEFAULT_BODY_PACE, DEFAULT_MAX_ARTIFACT_BYTES, DEFAULT_MAX_CONNECTIONS } from '../domain/limits.ts'
import type { Result } from '../domain/result.ts'
import { err, ok } from '../domain/result.ts'
import { API_ROOT } from '../protocol/routes.ts'
import { UsageError } from './failure.ts'
import { parseDuration, parseSize } from './sizes.ts'

/** Service managers kill a process 90 s (systemd) or 10 s (docker stop) after they asked it to stop. */
const DEFAULT_DRAIN_MS = 30_000

interface FrontSettings {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  /** Bytes. */
  readonly maxArtifactBytes: number
  /** The address under which a proxy serves this server. */
  readonly publicUrl: URL | undefined
  /** Further values of `Host` that the server accepts, each with or without a port. */
  readonly allowedHosts: readonly string[]
  /** How long a stop waits for running requests, in milliseconds. */
  readonly drainLimit: number
  /** The least rate at which a body may arrive, in bytes per second, on average over each period of `bodyGrace`. */
  readonly minBodyRate: number
  /** Milliseconds. */
  readonly bodyGrace: number
  readonly maxConnections: number
}

export interface LocalStores {
  readonly store: 'local'
  readonly dataDir: string
}

export interface AwsStores {
  readonly store: 'aws'
  /** The S3 buckets and tables of a deployed stack, which its outputs name. */
  readonly blobBucket: string
  readonly stagingBucket: string
  readonly ledgerTable: string
  readonly uploadsTable: string
  /** The queue of a deployed verifier; without one each server verifies the uploads whose commit it answered. */
  readonly verificationQueueUrl: string | undefined
  /** Where the AWS SDK finds it, unless given. */
  readonly region: string | undefined
  /** The address under which clients reach S3, if it is not the one that the server uses. */
  readonly s3PublicEndpoint: URL | undefined
}

export type ServeSettings = FrontSettings & (LocalStores | AwsStores)

/** As given on the command line: text, and only the given options. */
export interface ServeOptions {
  readonly store?: string
  readonly host?: string
  readonly port?: string
  readonly dataDir?: string
  readonly maxArtifactBytes?: string
  readonly publicUrl?: string
  /** Given several times, it is a list. */
  readonly allowedHost?: readonly string[]
  readonly drainLimit?: string
  readonly minBodyRate?: string
  readonly bodyGrace?: string
  readonly maxConnections?: string
  readonly blobBucket?: string
  readonly stagingBucket?: string
  readonly ledgerTable?: string
  readonly uploadsTable?: string
  readonly verificationQueueUrl?: string
  readonly region?: string
  readonly s3PublicEndpoint?: string
}

/** `--region` is not among them, because the AWS SDK reads its environment name; `--allowed-host` is a list. */
type Setting = Exclude<keyof ServeOptions, 'region' | 'allowedHost'>

const FLAGS: { readonly [K in Setting]: string } = {
  store: '--store',
  host: '--host',
  port: '--port',
  dataDir: '--data-dir',
  maxArtifactBytes: '--max-artifact-bytes',
  publicUrl: '--public-url',
  drainLimit: '--drain-limit',
  minBodyRate: '--min-body-rate',
  bodyGrace: '--body-grace',
  maxConnections: '--max-connections',
  blobBucket: '--blob-bucket',
  stagingBucket: '--staging-bucket',
  ledgerTable: '--ledger-table',
  uploadsTable: '--uploads-table',
  verificationQueueUrl: '--verification-queue-url',
  s3PublicEndpoint: '--s3-public-endpoint',
}

/** An option takes precedence over the environment, and the environment over the default. @throws UsageError with every error. */
export function readServeSettings(
  options: ServeOptions,
  environment: Readonly<Record<string, string | undefined>>,
): ServeSettings {
  const faults: string[] = []
  function read<T>(name: Setting, fallback: T, parse: (text: string) => Result<T>): T {
    const fromEnvironment = environment[CLI_ENVIRONMENT[name]] || undefined
    const text = options[name] ?? fromEnvironment
    if (text === undefined) return fallback
    const result = parse(text)
    if (result.ok) return result.value
    faults.push(`${options[name] === undefined ? CLI_ENVIRONMENT[name] : FLAGS[name]}: ${result.error}`)
    return fallback
  }
  const required = (name: Setting): string => {
    const value = read<string | undefined>(name, undefined, filled)
    if (value === undefined) faults.push(`--store aws needs ${FLAGS[name]} or ${CLI_ENVIRONMENT[name]}`)
    return value ?? ''
  }
  function readHosts(): readonly string[] {
    const fromEnvironment = (environment[CLI_ENVIRONMENT.allowedHosts] || undefined)?.split(',')
    const name = options.allowedHost ? '--allowed-host' : CLI_ENVIRONMENT.allowedHosts
    return (options.allowedHost ?? fromEnvironment ?? []).flatMap((text) => {
      const host = parseHost(text.trim())
      if (!host.ok) faults.push(`${name}: ${host.error}`)
      return host.ok ? [host.value] : []
    })
  }
  const readStores = (): LocalStores | AwsStores => {
    const store = read<'local' | 'aws'>('store', 'local', parseStore)
    if (store === 'local') return { store, dataDir: read('dataDir', '.bucket', filled) }
    return {
      store,
      blobBucket: required('blobBucket'),
      stagingBucket: required('stagingBucket'),
      ledgerTable: required('ledgerTable'),
      uploadsTable: required('uploadsTable'),
      verificationQueueUrl: read<string | undefined>('verificationQueueUrl', undefined, filled),
      region: options.region,
      s3PublicEndpoint: read<URL | undefined>('s3PublicEndpoint', undefined, parseEndpoint),
    }
  }
  const settings: ServeSettings = {
    ...readStores(),
    host: read('host', '127.0.0.1', filled),
    port: read('port', 9470, parsePort),
    maxArtifactBytes: read('maxArtifactBytes', DEFAULT_MAX_ARTIFACT_BYTES, parseSize),
    publicUrl: read<URL | undefined>('publicUrl', undefined, parsePublicUrl),
    allowedHosts: readHosts(),
    drainLimit: read('drainLimit', DEFAULT_DRAIN_MS, parseDuration),
    minBodyRate: read('minBodyRate', DEFAULT_BODY_PACE.bytesPerSecond, parseSize),
    bodyGrace: read('bodyGrace', DEFAULT_BODY_PACE.graceMs, parseDuration),
    maxConnections: read('maxConnections', DEFAULT_MAX_CONNECTIONS, parseCount),
  }
  if (faults.length > 0)
    throw new UsageError(faults.join('; '), 'See `bucket serve --help`.', 'Invalid settings of the server')
  return settings
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

const filled = (text: string): Result<string> => (text === '' ? err('is empty') : ok(text))

/** A name or address as a `Host` header has it. */
const parseHost = (text: string): Result<string> =>
  /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.test(text)
    ? ok(text)
    : err(`${JSON.stringify(text)} is not a host: write a name or an address, with a port or without`)

const parseStore = (text: string): Result<'local' | 'aws'> =>
  text === 'local' || text === 'aws' ? ok(text) : err(`${JSON.stringify(text)} is not a store: local or aws`)

function parseEndpoint(text: string): Result<URL> {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    return err(`${JSON.stringify(text)} must start with http:// or https://`)
  const url = new URL(text)
  // The text may hold a password.
  return url.username || url.password || /[?#]/.test(text)
    ? err('has user info, a query or a fragment: leave it out')
    : ok(url)
}

export const parsePort = (text: string): Result<number> =>
  /^\d{1,5}$/.test(text) && Number(text) < 65_536
    ? ok(Number(text))
    : err(`${JSON.stringify(text)} is not a port: 0 to 65535`)

const parseCount = (text: string): Result<number> =>
  /^[1-9]\d{0,5}$/.test(text) ? ok(Number(text)) : err(`${JSON.stringify(text)} is not a count: 1 to 999999`)

/** The paths of this server are fixed, so URLs that it returns would lack a prefix that a proxy adds. */
function parsePublicUrl(text: string): Result<URL> {
  const url = parseEndpoint(text)
  return !url.ok || ['/', API_ROOT, `${API_ROOT}/`].includes(url.value.pathname)
    ? url
    : err(`${JSON.stringify(text)} has a path: the proxy must pass paths on as they are`)
}
