/** An invalid input of a request, with its place in it (docs/http-api.md, section 8). */
import { BucketError } from '../domain/errors.ts'
import type { ValidationError } from '../domain/validation.ts'

/** The part of a request that held the input. */
export type InputLocation = 'header' | 'path' | 'query' | 'body'

/** `name` is that of the header, path segment, query parameter or JSON member. */
export interface InputError extends ValidationError {
  readonly in: InputLocation
}

/** The refusal of a request for all of its invalid inputs. */
export function invalidInputs(errors: readonly InputError[]): BucketError<'invalid_request'> {
  const [first, ...others] = errors
  return first === undefined || others.length > 0
    ? BucketError.invalidRequest(errors)
    : new BucketError('invalid_request', `${placeOf(first)} ${first.detail}`, { errors })
}

const placeOf = ({ in: location, name }: InputError): string =>
  location === 'body' && name === 'body' ? 'the body' : `${location} ${name}`

/** The rules know the names of inputs, not where a request holds them: those of a body have the same names there. */
export const placedError = (error: ValidationError | InputError): InputError => ({ in: 'body', ...error })
