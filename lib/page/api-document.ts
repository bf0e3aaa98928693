/** The part of an OpenAPI 3.1 document that the API page shows, and its values as text. */

export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

interface Parameter {
  readonly in: 'path' | 'query' | 'header'
  readonly name: string
  readonly required: boolean
  readonly schema: Schema
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

interface Response {
  readonly $ref?: string
  readonly description?: string
  readonly content?: Content
}

export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, Response>>
}

export interface ApiDocument {
  readonly info: { readonly description: string }
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>
    readonly responses: Readonly<Record<string, Response>>
  }
}

export interface PlacedOperation extends Operation {
  readonly method: string
  readonly path: string
}

/** The operations of one tag, in the order of the document. */
export const operationsOf = ({ paths }: ApiDocument, tag: string): PlacedOperation[] =>
  Object.entries(paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod)
      .filter(([, { tags }]) => tags.includes(tag))
      .map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  )

/** The last segment of a reference: the name of what it refers to. */
const referredName = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1)

const PROBLEM = 'application/problem+json'

function responsesOf(document: ApiDocument, { responses }: Operation) {
  return Object.entries(responses).map(([status, given]) => {
    const response =
      given.$ref === undefined ? given : document.components.responses[referredName(given.$ref)]
    return { status, description: response?.description ?? '', content: response?.content ?? {} }
  })
}

/** The responses that are not refusals; those without a body have no schema. */
export const successes = (document: ApiDocument, operation: Operation) =>
  responsesOf(document, operation)
    .filter(({ content }) => !(PROBLEM in content))
    .map(({ status, content }) => ({ status, schema: Object.values(content)[0]?.schema }))

/** The refusals, one for each code: descriptions have the form `code: title; code: title`. */
export const refusals = (document: ApiDocument, operation: Operation) =>
  responsesOf(document, operation)
    .filter(({ content }) => PROBLEM in content)
    .flatMap(({ status, description }) =>
      description.split('; ').map((text) => ({ status, code: text.split(':', 1)[0] ?? '' })),
    )

/** @returns the type in a few words, such as `integer, 1 to 1000`; names of schemas are given by `$ref`. */
export function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) return referredName(schema.$ref)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(' or ')
  if (schema.items !== undefined) return `array of ${typeText(schema.items)}`
  if (schema.format === 'binary') return 'bytes'
  const { type = 'any', minimum, maximum } = schema
  if (minimum === undefined && (maximum === undefined || maximum === Number.MAX_SAFE_INTEGER)) return type
  if (maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return `${type}, at least ${minimum}`
  return `${type}, ${minimum ?? 'at most'} to ${maximum}`
}
