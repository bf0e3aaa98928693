/** Validates JSON by a schema, and names every invalid member, so that its sender can correct all of them at once. */
import * as v from 'valibot'
import { err, ok, type Result } from '../domain/result.ts'
import type { InputError } from './input-error.ts'

/** @returns the message, or an error for each invalid member, named by its JSON path (`parts[3].sha256`). */
export function validate<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
): Result<v.InferOutput<S>, readonly InputError[]> {
  // No message is an array, but the library accepts an array as an object.
  const result = v.safeParse(schema, Array.isArray(value) ? null : value, { abortPipeEarly: true })
  if (result.success) return ok(result.output)
  const errors = result.issues.map((issue) => ({ in: 'body' as const, ...explain(issue) }))
  return err(errors)
}

function explain({ path: steps, message }: v.BaseIssue<unknown>): { name: string; detail: string } {
  const path: readonly v.IssuePathItem[] = steps ?? []
  const name = path
    .map(({ key }, at) => (typeof key === 'number' ? `[${key}]` : `${at === 0 ? '' : '.'}${key}`))
    .join('')
  return {
    name: name === '' ? 'body' : name,
    // The library marks a missing member by the origin of the last step of its path.
    detail: path.at(-1)?.origin === 'key' ? 'is missing' : message,
  }
}
