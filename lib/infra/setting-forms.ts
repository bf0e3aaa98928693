/**
 * The forms that a single setting may have. A value comes from code, from cdk.json or from `-c name=value`, where everything
 * is text: each form takes both, and says in one sentence what it expected instead.
 * A CDK token (a value that is known only at deployment) passes where a text is expected: it cannot be checked at synth.
 */
import { Token } from 'aws-cdk-lib'
import { faulty, type Parsed, parsed } from '../domain/validation.ts'

/** Reads one value. */
export type Form<T> = (value: unknown) => Parsed<T>

const shown = (value: unknown) => JSON.stringify(value)

/** A text that `pattern` matches; `example` is what a correct one looks like. */
export const text =
  (pattern: RegExp, example: string): Form<string> =>
  (value) =>
    typeof value === 'string' && (Token.isUnresolved(value) || pattern.test(value))
      ? parsed(value)
      : faulty(`${shown(value)} does not look like ${example}`)

/** One of `choices`, exactly as it stands there. */
export const oneOf =
  <const T extends string>(...choices: readonly T[]): Form<T> =>
  (value) => {
    const choice = choices.find((candidate) => candidate === value)
    return choice === undefined ? faulty(`${shown(value)} is none of ${choices.join(', ')}`) : parsed(choice)
  }

/** True or false; as text, `true` or `false`. */
export const flag: Form<boolean> = (value) => {
  if (value === true || value === 'true') return parsed(true)
  if (value === false || value === 'false') return parsed(false)
  return faulty(`${shown(value)} is neither true nor false`)
}

/** A whole number from `least` to `most`, both included. */
export const whole =
  (least: number, most: number): Form<number> =>
  (value) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= least && number <= most
      ? parsed(number)
      : faulty(`${shown(value)} is no whole number from ${least} to ${most}`)
  }

/** A number that `form` takes and that is no more than `most`; `why` says what stands in the way of more. */
export const atMost =
  (most: number, why: string, form: Form<number>): Form<number> =>
  (value) => {
    const result = form(value)
    return result.ok && result.value > most ? faulty(`${shown(value)} ${why}`) : result
  }

/** One of a service's fixed numbers. */
export const numberOf =
  (choices: readonly number[]): Form<number> =>
  (value) => {
    const number = typeof value === 'string' ? Number(value) : value
    const choice = choices.find((candidate) => candidate === number)
    return choice === undefined ? faulty(`${shown(value)} is none of ${choices.join(', ')}`) : parsed(choice)
  }

/** An array, or the items of a text between commas; every faulty item is named. */
export const list =
  (item: Form<string>): Form<readonly string[]> =>
  (value) => {
    const items: readonly unknown[] =
      typeof value === 'string'
        ? value.split(',').map((part) => part.trim())
        : Array.isArray(value)
          ? value
          : [value]
    const results = items.map(item)
    const details = results.flatMap((result) => (result.ok ? [] : [result.detail]))
    return details.length > 0
      ? faulty(details.join('; '))
      : parsed(results.flatMap((result) => (result.ok ? [result.value] : [])))
  }
