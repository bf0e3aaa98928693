/**
 * Validation of all settings at synth, which reports every error at once. An unknown name is an error, because a mistyped
 * protection would otherwise be off without notice.
 */
import { contradictions } from './setting-rules.ts'
import {
  DEFAULTS,
  type Settings,
  STACK_DEFAULTS,
  STACK_VALIDATORS,
  type StackSettings,
  VALIDATORS,
} from './settings.ts'
import type { Validator } from './validators.ts'

/** All errors of a configuration. `message` lists them, one per line. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly errors: readonly string[]

  constructor(errors: readonly string[]) {
    super(['Invalid configuration of Bucket:', ...errors.map((error) => `  ${error}`)].join('\n'))
    this.errors = errors
  }
}

/**
 * Validates settings. A value may be text, as `-c name=value` passes it.
 *
 * @throws SettingsError with every invalid setting and every invalid combination.
 */
export function readSettings(values: Readonly<Record<string, unknown>>): Settings {
  const { read, errors } = validate(values, VALIDATORS)
  // The validator of each member determines its type.
  const settings = { ...DEFAULTS, ...read } as Settings
  return validOrThrow(settings, [...errors, ...contradictions(settings, values)])
}

/**
 * Validates the settings of the CDK app: those of the service, and those of its stack.
 *
 * @throws SettingsError with every invalid setting and every invalid combination.
 */
export function readStackSettings(values: Readonly<Record<string, unknown>>): StackSettings {
  const { read, errors } = validate(values, { ...STACK_VALIDATORS, ...VALIDATORS })
  const { stackName, terminationProtection, ...rest } = { ...STACK_DEFAULTS, ...DEFAULTS, ...read }
  const service = rest as Settings
  return validOrThrow({ stackName, terminationProtection, service }, [
    ...errors,
    ...contradictions(service, values),
  ])
}

function validate(
  values: Readonly<Record<string, unknown>>,
  validators: Readonly<Record<string, Validator<unknown>>>,
): { readonly read: Record<string, unknown>; readonly errors: readonly string[] } {
  const errors: string[] = []
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue
    const validator = Object.hasOwn(validators, name) ? validators[name] : undefined
    const result = validator?.(value)
    if (result === undefined)
      errors.push(`unknown setting "${name}"; valid settings: ${Object.keys(validators).join(', ')}`)
    else if (result.ok) read[name] = result.value
    else errors.push(`${name}: ${result.error}`)
  }
  return { read, errors }
}

function validOrThrow<T>(settings: T, errors: readonly string[]): T {
  if (errors.length > 0) throw new SettingsError(errors)
  return settings
}
