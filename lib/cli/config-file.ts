/**
 * The configuration file: settings of a connection, for every command and for named profiles. Lines are `name = value`; those after
 * `[profile]` belong to that profile. It holds no secrets, because files of this kind are copied and committed.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
import { errorCode, systemReason } from '../flow/error-code.ts'
import { UsageError } from './failure.ts'

/** The names that a line may have, and the options that they set. */
const NAMES = { url: 'url', auth: 'auth', 'ca-file': 'caFile', timeout: 'timeout', region: 'region' } as const
const SECRETS: readonly string[] = ['token', 'api-key', 'password', 'secret']

export type Setting = (typeof NAMES)[keyof typeof NAMES]
export type Settings = { readonly [S in Setting]?: string }

export interface ConfigFile {
  readonly path: string
  /** Whether the file is there. */
  readonly exists: boolean
  /** Those outside of any profile. */
  readonly common: Settings
  readonly profiles: ReadonlyMap<string, Settings>
}

/** `BUCKET_CONFIG`, else `$XDG_CONFIG_HOME/bucket/config`, else `~/.config/bucket/config`. */
function configPath(environment: Readonly<Record<string, string | undefined>>): string {
  const home = environment.HOME || environment.USERPROFILE || ''
  const folder = environment.XDG_CONFIG_HOME || join(home, '.config')
  return environment[CLI_ENVIRONMENT.config] || join(folder, 'bucket', 'config')
}

/**
 * Reads the file; a missing one has no settings, unless `BUCKET_CONFIG` names it.
 *
 * @throws UsageError that names the file, or its first wrong line.
 */
async function readConfigFile(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ConfigFile> {
  const path = configPath(environment)
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    if (errorCode(error) === 'ENOENT' && !environment[CLI_ENVIRONMENT.config]) return undefined
    throw new UsageError(
      `${path}: ${systemReason(error).replace(/^".*": /, '')}`,
      `Make it readable, or name another file with ${CLI_ENVIRONMENT.config}.`,
      'The configuration file cannot be read',
    )
  })
  const common: { [S in Setting]?: string } = {}
  const profiles = new Map<string, { [S in Setting]?: string }>()
  let current = common
  for (const [at, raw] of (text ?? '').split(/\r?\n/).entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const [, profile] = /^\[([A-Za-z0-9._-]+)\]$/.exec(line) ?? []
    const [, name = '', value = ''] = /^([a-z-]+)\s*=\s*(.+)$/.exec(line) ?? []
    if (profile !== undefined) {
      current = profiles.get(profile) ?? {}
      profiles.set(profile, current)
    } else {
      if (!isName(name)) throw wrongLine(path, at + 1, name, line)
      if (Object.hasOwn(current, NAMES[name])) throw repeated(path, at + 1, name)
      current[NAMES[name]] = value
    }
  }
  return { path, exists: text !== undefined, common, profiles }
}

const isName = (name: string): name is keyof typeof NAMES => Object.hasOwn(NAMES, name)

const repeated = (path: string, number: number, name: string) =>
  new UsageError(
    `${path}, line ${number} sets ${name} again`,
    'Remove one of the two lines, or put it into a [PROFILE].',
    'Invalid configuration file',
  )

function wrongLine(path: string, number: number, name: string, line: string): UsageError {
  const where = `${path}, line ${number}`
  if (SECRETS.includes(name))
    return new UsageError(
      `${where} sets ${name}`,
      `Set ${CLI_ENVIRONMENT.token} or ${CLI_ENVIRONMENT.apiKey} in the environment instead.`,
      'Secrets do not belong in the configuration file',
    )
  return new UsageError(
    name === '' ? `${where} is ${JSON.stringify(line)}` : `${where}: unknown setting ${JSON.stringify(name)}`,
    `Write NAME = VALUE with one of ${Object.keys(NAMES).join(', ')}, or [PROFILE].`,
    'Invalid configuration file',
  )
}

/** Where a setting comes from, for `bucket doctor`. */
export interface Chosen {
  readonly value: string
  readonly from: string
}

/** Finds the settings of one command. */
export interface SettingsReader {
  readonly file: ConfigFile
  readonly profile: string | undefined
  /**
   * An option wins, then a profile that `--profile` names, the environment, the profile that the environment names, and the lines
   * outside of profiles.
   */
  choose(setting: Setting, option: string | undefined, ...variables: readonly string[]): Chosen | undefined
}

/** @param asked the value of `--profile`. @throws UsageError for a profile that the file does not have. */
export async function settingsReader(
  asked: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<SettingsReader> {
  const file = await readConfigFile(environment)
  const profile = asked ?? (environment[CLI_ENVIRONMENT.profile] || undefined)
  const settings = profile === undefined ? undefined : file.profiles.get(profile)
  if (profile !== undefined && settings === undefined) throw unknownProfile(profile, file)
  return {
    file,
    profile,
    choose(setting, option, ...variables) {
      if (option !== undefined) return { value: option, from: 'option' }
      const inProfile = settings?.[setting]
      const ofProfile = inProfile === undefined ? undefined : { value: inProfile, from: `profile ${profile}` }
      if (asked !== undefined && ofProfile) return ofProfile
      for (const variable of variables) {
        const value = environment[variable]
        if (value) return { value, from: variable }
      }
      if (ofProfile) return ofProfile
      const common = file.common[setting]
      return common === undefined ? undefined : { value: common, from: file.path }
    },
  }
}

function unknownProfile(profile: string, { path, profiles }: ConfigFile): UsageError {
  const known = [...profiles.keys()].join(', ')
  return new UsageError(
    known === '' ? `${path} has no profiles` : `${path} has the profiles ${known}`,
    `Write [${profile}] and its settings into the file, or name another profile.`,
    `Unknown profile "${profile}"`,
  )
}
