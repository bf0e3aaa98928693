/**
 * Validators for single settings. A value comes from code, from cdk.json or from `-c name=value`, where everything is text,
 * so each validator accepts both the typed value and its text.
 * A CDK token (a value known only at deployment) passes wherever text is expected: synth cannot check it.
 */
import { Token } from 'aws-cdk-lib'
import { err, ok, type Result } from '../domain/result.ts'

/**
 * The supported partitions, which cdk.json names as targets, too. Elsewhere service names and features differ, and Bucket is
 * untested there.
 */
export const PARTITIONS = ['aws', 'aws-cn', 'aws-us-gov'] as const

/** Parses one value, or says in one sentence what it expected. */
export type Validator<T> = (value: unknown) => Result<T>

const shown = (value: unknown) => JSON.stringify(value)

/** Text that matches `pattern`; `example` shows a correct value. */
export const text =
  (pattern: RegExp, example: string): Validator<string> =>
  (value) =>
    typeof value === 'string' && (Token.isUnresolved(value) || pattern.test(value))
      ? ok(value)
      : err(`${shown(value)} is invalid; a valid value looks like ${example}`)

/** One of `choices`, spelled exactly. */
export const oneOf =
  <const T extends string>(...choices: readonly T[]): Validator<T> =>
  (value) => {
    const choice = choices.find((candidate) => candidate === value)
    return choice === undefined
      ? err(`${shown(value)} is invalid; valid values: ${choices.join(', ')}`)
      : ok(choice)
  }

/** True or false; as text, `true` or `false`. */
export const flag: Validator<boolean> = (value) => {
  if (value === true || value === 'true') return ok(true)
  if (value === false || value === 'false') return ok(false)
  return err(`${shown(value)} is invalid; valid values: true, false`)
}

/** A whole number from `least` to `most`, both inclusive. */
export const whole =
  (least: number, most: number): Validator<number> =>
  (value) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= least && number <= most
      ? ok(number)
      : err(`${shown(value)} isn't a whole number from ${least} to ${most}`)
  }

/** A number that `validator` accepts and that is at most `most`; `why` explains the limit. */
export const atMost =
  (most: number, why: string, validator: Validator<number>): Validator<number> =>
  (value) => {
    const result = validator(value)
    return result.ok && result.value > most ? err(`${shown(value)} ${why}`) : result
  }

/** One of a service's fixed numbers. */
export const numberOf =
  <const T extends number>(choices: readonly T[]): Validator<T> =>
  (value) => {
    const number = typeof value === 'string' ? Number(value) : value
    const choice = choices.find((candidate) => candidate === number)
    return choice === undefined
      ? err(`${shown(value)} is invalid; valid values: ${choices.join(', ')}`)
      : ok(choice)
  }

/** An array, or text with items between commas; every invalid item is reported. */
export const list =
  (item: Validator<string>): Validator<readonly string[]> =>
  (value) => {
    const items: readonly unknown[] =
      typeof value === 'string'
        ? value.split(',').map((part) => part.trim())
        : Array.isArray(value)
          ? value
          : [value]
    const results = items.map(item)
    const details = results.flatMap((result) => (result.ok ? [] : [result.error]))
    return details.length > 0
      ? err(details.join('; '))
      : ok(results.flatMap((result) => (result.ok ? [result.value] : [])))
  }
