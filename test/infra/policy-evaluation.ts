/**
 * Evaluates the Deny statements of a policy for one request, by the rules of IAM: all conditions of a statement must match, any
 * value of a condition may, and a negated operator matches a key that the request lacks.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 */
import type { Statement } from './synthesized.ts'

export interface PolicyRequest {
  readonly action: string
  /** `bucket`, or `objects` for any object in it. */
  readonly on: 'bucket' | 'objects'
  /** Condition keys of the request; an absent key is absent from the request. */
  readonly keys?: Readonly<Record<string, string>>
}

type Matches = (value: string | undefined, expected: readonly string[]) => boolean

const wildcard = (pattern: string) =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  )
const any = (test: (value: string, expected: string) => boolean): Matches => {
  return (value, expected) => value !== undefined && expected.some((one) => test(value, one))
}
const none = (matches: Matches): Matches => {
  return (value, expected) => !matches(value, expected)
}
const equal = any((value, expected) => value === expected)
const arnLike = any((value, expected) => wildcard(expected).test(value))

const OPERATORS: Readonly<Record<string, Matches>> = {
  Bool: equal,
  Null: (value, [isAbsent]) => (value === undefined) === (isAbsent === 'true'),
  StringEquals: equal,
  StringNotEquals: none(equal),
  ArnNotEquals: none(arnLike),
  NumericGreaterThan: any((value, expected) => Number(value) > Number(expected)),
  NumericLessThan: any((value, expected) => Number(value) < Number(expected)),
}

/** The sids of the statements that deny the request. */
export function deniedBy(statements: readonly Statement[], request: PolicyRequest): string[] {
  return statements
    .filter((statement) => statement.Effect === 'Deny' && applies(statement, request))
    .map(({ Sid }) => Sid ?? '')
}

function applies({ Action, Resource, Condition = {} }: Statement, { action, on, keys = {} }: PolicyRequest) {
  const actions = typeof Action === 'string' ? [Action] : Action
  const resources = Array.isArray(Resource) ? Resource : [Resource]
  // An ARN of objects is the bucket's ARN joined with `/*`.
  const isObjects = (resource: unknown) => JSON.stringify(resource).includes('/*')
  return (
    actions.some((pattern) => wildcard(pattern).test(action)) &&
    resources.some((resource) => isObjects(resource) === (on === 'objects')) &&
    Object.entries(Condition).every(([operator, conditions]) => {
      const matches = OPERATORS[operator]
      if (!matches) throw new Error(`the operator ${operator} is not implemented here`)
      return Object.entries(conditions as Record<string, unknown>).every(([key, expected]) =>
        matches(keys[key], (Array.isArray(expected) ? expected : [expected]).map(text)),
      )
    })
  )
}

/** References to resources of the stack stand for themselves: `{"Fn::GetAtt":["ServiceWriteRole…","Arn"]}` → `ServiceWriteRole`. */
function text(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return /Service[A-Za-z]+(?=[0-9A-F]{8})/.exec(JSON.stringify(value))?.[0] ?? JSON.stringify(value)
}
