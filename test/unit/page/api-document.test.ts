/** The API page finds every operation, response and refusal in the document that the server makes. */
import { expect, it } from 'vitest'
import { openApiDocument } from '../../../lib/http/openapi.ts'
import {
  type ApiDocument,
  operationsOf,
  refusals,
  successes,
  typeText,
} from '../../../lib/page/api-document.ts'
import { errorsOf, ROUTES, type RouteName } from '../../../lib/protocol/routes.ts'

const document = openApiDocument() as ApiDocument
const operations = document.tags.flatMap(({ name }) => operationsOf(document, name))

it('every route is an operation of one tag', () => {
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(ROUTES).sort())
})

it('the refusals of an operation are exactly the error codes of its route', () => {
  for (const operation of operations) {
    const codes = refusals(document, operation).map(({ code }) => code)
    expect(codes.sort(), operation.operationId).toEqual(
      [...errorsOf(operation.operationId as RouteName)].sort(),
    )
  }
})

it('the other responses are those that the route promises', () => {
  for (const operation of operations) {
    const statuses = successes(document, operation).map(({ status }) => status)
    expect(statuses, operation.operationId).toEqual(
      Object.keys(ROUTES[operation.operationId as RouteName].responses),
    )
  }
})

it.each([
  [{ $ref: '#/components/schemas/Entry' }, 'Entry'],
  [{ type: 'array', items: { $ref: '#/components/schemas/Entry' } }, 'array of Entry'],
  [{ anyOf: [{ type: 'string' }, { type: 'null' }] }, 'string or null'],
  [{ type: 'integer', minimum: 1, maximum: 1000 }, 'integer, 1 to 1000'],
  [{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, 'integer, at least 0'],
  [{ const: 'nosniff' }, '"nosniff"'],
  [{ enum: ['single', 'multipart'] }, '"single" or "multipart"'],
  [{ type: 'string', format: 'binary' }, 'bytes'],
])('%j is "%s"', (schema, text) => expect(typeText(schema)).toBe(text))
