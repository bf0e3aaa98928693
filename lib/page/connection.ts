/**
 * The API that this page works with, from `config.json` next to it. The address comes from nowhere else: a link that could name
 * another API could send a person's files there. Credentials are typed by the person and stay in memory.
 */
import { type Auth, BucketClient } from '../client/index.ts'

export interface PageConfig {
  /** The root of the API, absolute. */
  readonly api: string
  /** The credentials that the API demands. */
  readonly auth: AuthKind
  /** Whether callers also send `X-Api-Key`. */
  readonly apiKey: boolean
  /** For `iam` on a custom domain. */
  readonly region: string | undefined
}

const AUTH_KINDS = ['none', 'bearer', 'api-key', 'iam'] as const
type AuthKind = (typeof AUTH_KINDS)[number]

/** Plain data, so that a worker can take it. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'api-key'; readonly key: string }
  | {
      readonly kind: 'iam'
      readonly accessKeyId: string
      readonly secretAccessKey: string
      readonly sessionToken: string | undefined
    }

export interface Connection {
  readonly config: PageConfig
  readonly credentials: Credentials
  /** In addition to the credentials. */
  readonly apiKey: string | undefined
}

/** The configuration is missing or wrong: the operator who put the page there must correct it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly next = 'Correct config.json next to this page (docs/page.md), then load the page again.'
}

/** @param base the address of the page. @throws ConfigError; TypeError if there is no answer. */
export async function loadConfig(base: string): Promise<PageConfig> {
  const response = await fetch(new URL('config.json', base))
  if (!response.ok) throw new ConfigError(`config.json cannot be loaded: status ${response.status}`)
  const text = await response.text()
  try {
    return parseConfig(JSON.parse(text), base)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError('config.json is not JSON')
  }
}

/** @param base the address of the page, to which `api` may be relative. @throws ConfigError with every fault. */
export function parseConfig(value: unknown, base: string): PageConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigError('config.json is not a JSON object')
  const { api, auth = 'none', api_key: apiKey = false, region, ...others } = value as Record<string, unknown>
  const faults = Object.keys(others).map((name) => `${JSON.stringify(name)} is an unknown setting`)
  const kind = AUTH_KINDS.find((known) => known === auth)
  if (kind === undefined) faults.push(`"auth" must be one of ${AUTH_KINDS.join(', ')}`)
  if (typeof apiKey !== 'boolean') faults.push('"api_key" must be true or false')
  if (region !== undefined && typeof region !== 'string') faults.push('"region" must be text')
  const url = typeof api === 'string' && URL.canParse(api, base) ? new URL(api, base) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    faults.push('"api" must be the address of the API')
  if (url === undefined || kind === undefined || faults.length > 0)
    throw new ConfigError(`config.json: ${faults.join('; ')}`)
  return {
    api: url.href.replace(/\/+$/, ''),
    auth: kind,
    apiKey: apiKey === true,
    region: typeof region === 'string' ? region : undefined,
  }
}

/** Whether the connection has all credentials that the API demands. */
export const isComplete = ({ config, credentials, apiKey }: Connection): boolean =>
  credentials.kind === config.auth && (apiKey !== undefined || !config.apiKey)

export const createClient = ({ config, credentials, apiKey }: Connection): BucketClient =>
  new BucketClient({ url: config.api, auth: authOf(credentials, config.region), apiKey })

function authOf(credentials: Credentials, region: string | undefined): Auth {
  if (credentials.kind !== 'iam') return credentials
  return { kind: 'iam', ...(region !== undefined && { region }), credentials: async () => credentials }
}
