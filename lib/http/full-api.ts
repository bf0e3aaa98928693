/** The API with every route, for a server that both reads and writes. */
import { BODY_DECODERS } from '../protocol/decode.ts'
import { type Api, type ApiOptions, createApi } from './api.ts'
import { READ_HANDLERS, type ReadStores } from './read-handlers.ts'
import { WRITE_HANDLERS, type WriteStores } from './write-handlers.ts'

export type FullStores = ReadStores & WriteStores

export const createFullApi = (options: Omit<ApiOptions<never, FullStores>, 'handlers' | 'bodies'>): Api =>
  createApi({ ...options, handlers: { ...READ_HANDLERS, ...WRITE_HANDLERS }, bodies: BODY_DECODERS })
