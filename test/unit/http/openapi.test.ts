/** The OpenAPI document has all that a code generator needs: where the server is, how to authorize, and typed times. */
import { describe, expect, it } from 'vitest'
import { openApiDocument } from '../../../lib/http/openapi.ts'

interface Document {
  readonly servers: readonly { readonly url: string }[]
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, { readonly type: string }>>
    readonly schemas: Readonly<Record<string, { readonly properties: Readonly<Record<string, object>> }>>
  }
}

describe('the OpenAPI document', () => {
  const document = openApiDocument('https://bucket.example') as Document

  it('names the server that the client reached', () => {
    expect(document.servers).toEqual([{ url: 'https://bucket.example' }])
  })

  it('has a scheme for every kind of credentials, all of them optional', () => {
    const { securitySchemes } = document.components
    const named = document.security.flatMap((requirement) => Object.keys(requirement))
    expect(named.sort()).toEqual(Object.keys(securitySchemes).sort())
    expect(document.security).toContainEqual({})
  })

  it('marks times as times', () => {
    expect(document.components.schemas.Entry?.properties.created_at).toMatchObject({ format: 'date-time' })
    expect(document.components.schemas.Upload?.properties.expires_at).toMatchObject({ format: 'date-time' })
  })
})
