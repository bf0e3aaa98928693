/** The handlers of every route with read access. */
import { BucketError, ERRORS, type ErrorCode, isErrorCode } from '../domain/errors.ts'
import type { ServiceLimits } from '../protocol/messages.ts'
import { PROBLEM_TEXTS } from '../protocol/problem-texts.ts'
import { type RouteNameOf, versionsPath } from '../protocol/routes.ts'
import { findEntry, presignFetch } from '../repository/fetch.ts'
import type { HealthCheck } from '../repository/ports.ts'
import { type UploadStateDependencies, uploadState } from '../repository/upload-state.ts'
import { refHeader } from './artifact-headers.ts'
import { formatCursor } from './cursor.ts'
import { type FetchStores, fetch, findNoted, head } from './fetch.ts'
import type { Handlers } from './handlers.ts'
import { openApiDocument } from './openapi.ts'

export interface ReadStores extends FetchStores, ServiceLimits, Omit<UploadStateDependencies, 'blobs'> {
  readonly blobs: FetchStores['blobs'] & UploadStateDependencies['blobs']
  /** The stores that `GET /v1/health` asks, by their names in its detail: `ledger`, `blob store`. */
  readonly health: Readonly<Record<string, HealthCheck>>
}

/** Caches may keep descriptions of the API for a while. */
const KEEP_AN_HOUR = { 'Cache-Control': 'public, max-age=3600' }
const KEEP_PAGE = { ...KEEP_AN_HOUR, Vary: 'Accept' }

export const READ_HANDLERS: Handlers<RouteNameOf<'read'>, ReadStores> = {
  async service(_, { stores: { maxArtifactBytes, maxInlineBytes } }) {
    const content = { maxArtifactBytes, maxInlineBytes: Math.min(maxInlineBytes, maxArtifactBytes) }
    return { status: 200, content }
  },

  async health(_, { stores }) {
    await checkAll(stores.health)
    return { status: 200, content: 'ok' }
  },

  openapi: async (_, { origin }) => ({
    status: 200,
    headers: KEEP_AN_HOUR,
    content: openApiDocument(origin),
  }),

  problems: async () => ({
    status: 200,
    headers: KEEP_PAGE,
    content: Object.keys(ERRORS) as ErrorCode[],
  }),

  async problem({ code }) {
    if (!isErrorCode(code))
      throw new BucketError('route_not_found', `${JSON.stringify(code)} is not an error code of this API`, {})
    return { status: 200, headers: KEEP_PAGE, content: code }
  },

  async listVersions({ key, limit, cursor }, { stores }) {
    const { entries, next: after } = await stores.ledger.list(key, cursor, limit)
    const next = after && formatCursor(key, after)
    const query = new URLSearchParams({ limit: String(limit), cursor: next ?? '' })
    const headers: Record<string, string> =
      next === null ? {} : { Link: `<${versionsPath(key)}?${query}>; rel="next"` }
    return { status: 200, headers, content: { entries, next } }
  },

  fetch,
  head,

  entry: async ({ ref }, { stores }) => ({ status: 200, content: await findEntry(stores, ref, undefined) }),

  async download(input, context) {
    const entry = await findNoted(input, context)
    const request = await presignFetch(context.stores, entry)
    return { status: 200, headers: refHeader(entry), content: { request, entry } }
  },

  uploadState: async ({ id }, { stores }) => ({ status: 200, content: await uploadState(stores, id) }),
}

/** @throws BucketError `unavailable` that names every store whose check fails; its cause, for the log, says why. */
async function checkAll(stores: ReadStores['health']): Promise<void> {
  const checks = Object.entries(stores).map(([name, store]) =>
    store.check().then(
      () => [],
      (error: unknown) => [{ name, error, reason: reasonOf(error) }],
    ),
  )
  const failures = (await Promise.all(checks)).flat()
  if (failures.length === 0) return
  const names = failures.map(({ name }) => `the ${name}`).join(' and ')
  const reasons = failures.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
  // A failure that only a person can mend is the one to act on.
  const next = failures.map(({ error }) => lastingRemedy(error)).find((text) => text !== undefined)
  throw new BucketError(
    'unavailable',
    `${names} ${failures.length > 1 ? 'do not respond as they should' : 'does not respond as it should'}`,
    {},
    { cause: new Error(reasons), ...(next === undefined ? { retryAfter: 1 } : { retryable: false, next }) },
  )
}

/** The next step after a failure that no retry ends; undefined for any other one. */
function lastingRemedy(error: unknown): string | undefined {
  if (!(error instanceof BucketError)) return undefined
  const { code, next, retryable }: BucketError = error
  return retryable ? undefined : (next ?? PROBLEM_TEXTS[code].next)
}

/** The message of an error and of its cause. */
const reasonOf = (error: unknown): string =>
  error instanceof Error
    ? [error.message, ...(error.cause === undefined ? [] : [reasonOf(error.cause)])].join(': ')
    : String(error)
