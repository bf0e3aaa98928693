/**
 * Converts the message schemas to JSON Schema. `npm run schemas` writes them to `lib/protocol/message-schemas.ts`, so that
 * the function that serves the OpenAPI document loads no schema library.
 */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type JsonSchema, toJsonSchemaDefs } from '@valibot/to-json-schema'
import { MESSAGES } from '../lib/protocol/messages.ts'

/**
 * Adapts the schema of what a decoder accepts to what this version sends. A member with a default may be missing from a message of
 * an older server, but this server always sends it.
 */
function sentForm({ propertyNames, ...schema }: JsonSchema): JsonSchema {
  // Every key of a JSON object is a string, and not every code generator knows `propertyNames`.
  const { properties, required = [] } = schema
  if (properties === undefined) return schema
  const members = Object.entries(properties).map(([name, member]) => {
    if (typeof member === 'boolean' || !('default' in member))
      return { name, member, sent: required.includes(name) }
    const { default: _, ...others } = member
    return { name, member: others, sent: true }
  })
  return {
    ...schema,
    properties: Object.fromEntries(members.map(({ name, member }) => [name, member])),
    required: members.filter(({ sent }) => sent).map(({ name }) => name),
  }
}

const SCHEMAS_MODULE = fileURLToPath(new URL('../lib/protocol/message-schemas.ts', import.meta.url))

/** @returns every message as JSON Schema, for `components.schemas` of an OpenAPI document. */
export const messageSchemas = (): Record<string, JsonSchema> =>
  toJsonSchemaDefs(MESSAGES, {
    target: 'draft-2020-12',
    // JSON Schema cannot express that part numbers differ.
    ignoreActions: ['check'],
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
    overrideSchema: ({ jsonSchema }) => sentForm(jsonSchema),
  })

const moduleText = (): string =>
  [
    '/** The messages of the API as JSON Schema. Generated from messages.ts by `npm run schemas`: do not edit. */',
    `export const MESSAGE_SCHEMAS = ${JSON.stringify(messageSchemas(), null, 2)}`,
    '',
  ].join('\n')

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(SCHEMAS_MODULE, moduleText())
