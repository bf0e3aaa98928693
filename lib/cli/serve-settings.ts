/** The settings of `serve`: every option has an environment name, and all faults are told at once. */
import { CLI_ENVIRONMENT } from '#protocol/environment'
import type { Parsed } from '#protocol/faults'
import { faulty, parsed } from '#protocol/faults'
import { DEFAULT_MAX_ARTIFACT_BYTES } from '#protocol/limits'
import { UsageError } from './failure.ts'
import { parseSize } from './sizes.ts'

export interface ServeSettings {
  readonly store: 'local' | 'aws'
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  readonly dataDir: string
  /** Bytes. */
  readonly maxArtifactBytes: number
  /** The address that a proxy in front serves this server under. */
  readonly publicUrl: URL | undefined
}

/** As the command line has them: text, and only what was given. */
export interface ServeOptions {
  readonly store?: string
  readonly host?: string
  readonly port?: string
  readonly dataDir?: string
  readonly maxArtifactBytes?: string
  readonly publicUrl?: string
}

const FLAGS: { readonly [K in keyof ServeOptions]-?: string } = {
  store: '--store',
  host: '--host',
  port: '--port',
  dataDir: '--data-dir',
  maxArtifactBytes: '--max-artifact-bytes',
  publicUrl: '--public-url',
}

/** An option wins over the environment, the environment over the default. @throws UsageError with every fault. */
export function readServeSettings(
  options: ServeOptions,
  environment: Readonly<Record<string, string | undefined>>,
): ServeSettings {
  const faults: string[] = []
  function read<T>(name: keyof ServeOptions, fallback: T, parse: (text: string) => Parsed<T>): T {
    const fromEnvironment = environment[CLI_ENVIRONMENT[name]] || undefined
    const text = options[name] ?? fromEnvironment
    if (text === undefined) return fallback
    const result = parse(text)
    if (result.ok) return result.value
    faults.push(`${options[name] === undefined ? CLI_ENVIRONMENT[name] : FLAGS[name]}: ${result.detail}`)
    return fallback
  }
  const settings: ServeSettings = {
    store: read<'local' | 'aws'>('store', 'local', parseStore),
    host: read('host', '127.0.0.1', filled),
    port: read('port', 9470, parsePort),
    dataDir: read('dataDir', '.bucket', filled),
    maxArtifactBytes: read('maxArtifactBytes', DEFAULT_MAX_ARTIFACT_BYTES, parseSize),
    publicUrl: read<URL | undefined>('publicUrl', undefined, parsePublicUrl),
  }
  if (faults.length > 0) throw new UsageError(faults.join('; '), 'See `bucket serve --help`.')
  return settings
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

const filled = (text: string): Parsed<string> => (text === '' ? faulty('is empty') : parsed(text))

const parseStore = (text: string): Parsed<'local' | 'aws'> =>
  text === 'local' || text === 'aws'
    ? parsed(text)
    : faulty(`${JSON.stringify(text)} is no store: local or aws`)

const parsePort = (text: string): Parsed<number> =>
  /^\d{1,5}$/.test(text) && Number(text) < 65_536
    ? parsed(Number(text))
    : faulty(`${JSON.stringify(text)} is no port: 0 to 65535`)

const parsePublicUrl = (text: string): Parsed<URL> =>
  /^https?:\/\//.test(text) && URL.canParse(text)
    ? parsed(new URL(text))
    : faulty(`${JSON.stringify(text)} is no http or https address`)
