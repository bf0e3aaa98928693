/** The compiler refuses handlers that do not fit their routes. Each `@ts-expect-error` fails `npm run check` if it is not needed. */
import { describe, expect, it } from 'vitest'
import type { BucketError } from '../../../lib/domain/errors.ts'
import { createApi } from '../../../lib/http/api.ts'
import type { Handler } from '../../../lib/http/handlers.ts'
import { READ_HANDLERS } from '../../../lib/http/read-handlers.ts'
import { WRITE_HANDLERS } from '../../../lib/http/write-handlers.ts'
import { BODY_DECODERS } from '../../../lib/protocol/decode.ts'
import { ROUTES } from '../../../lib/protocol/routes.ts'

describe('the handler maps', () => {
  it('answer every route, each on one side', () => {
    const names = [...Object.keys(READ_HANDLERS), ...Object.keys(WRITE_HANDLERS)]
    expect(names.sort()).toEqual(Object.keys(ROUTES).sort())
  })

  it('do not compile when a handler is missing', () => {
    const { abortUpload: _, ...others } = WRITE_HANDLERS
    // @ts-expect-error abortUpload is missing
    const handlers: typeof WRITE_HANDLERS = others
    expect(handlers).toBe(others)
  })

  it('do not compile when a handler returns a status or a value of another route', () => {
    // @ts-expect-error a health check has no 201
    const status: Handler<'health', object> = async () => ({ status: 201, content: 'ok' })
    // @ts-expect-error an entry is not a health report
    const content: Handler<'entry', object> = async () => ({ status: 200, content: 'ok' })
    expect([status, content]).toHaveLength(2)
  })

  it('do not compile when a promised header is missing', () => {
    // @ts-expect-error a 201 of an upload has Location
    const begin: Handler<'beginUpload', object> = async () => ({
      status: 201,
      headers: {},
      content: {} as NonNullable<BucketError<'upload_conflict'>['details']['upload']>,
    })
    expect(begin).toBeTypeOf('function')
  })

  it('do not compile when a JSON body has no decoder', () => {
    const options = { handlers: WRITE_HANDLERS, stores: {} as never, log: () => {} }
    const { PresignParts: _, ...bodies } = BODY_DECODERS
    // @ts-expect-error PresignParts has no decoder
    const api = createApi({ ...options, bodies })
    expect(api).toBeTypeOf('object')
  })
})
