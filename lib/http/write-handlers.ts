/** The handlers of every route with write access. */
import type { Entry } from '../domain/entry.ts'
import { isBucketError } from '../domain/errors.ts'
import { invalidInputs, placedError } from '../protocol/input-error.ts'
import { type RouteNameOf, uploadPath, versionPath } from '../protocol/routes.ts'
import { type PresignPartsDependencies, presignParts } from '../repository/presign-parts.ts'
import { type StoreDependencies, store } from '../repository/store.ts'
import { type AbortDependencies, abortUpload } from '../repository/upload-abort.ts'
import { type BeginDependencies, beginUpload } from '../repository/upload-begin.ts'
import { type CommitDependencies, commitUpload } from '../repository/upload-commit.ts'
import { digestHeaders } from './artifact-headers.ts'
import type { Handlers } from './handlers.ts'

export type WriteStores = StoreDependencies &
  BeginDependencies &
  PresignPartsDependencies &
  CommitDependencies &
  AbortDependencies

/** Seconds that a client should wait before it polls a verification again. */
const POLL_SECONDS = '1'

/** The headers of the response to a store. */
export const entryHeaders = (entry: Entry) => ({ Location: versionPath(entry.ref), ...digestHeaders(entry) })

export const WRITE_HANDLERS: Handlers<RouteNameOf<'write'>, WriteStores> = {
  async store({ ref, declaredDigest: digest, description, onlyIfAbsent, body }, context) {
    const { stores, signal, requestId } = context
    context.note({ digest })
    const request = { ref, digest, description, onlyIfAbsent, signal, commitId: requestId }
    const { outcome, entry } = await store(stores, { ...request, size: body.size, body: body.bytes }).catch(
      nameLength,
    )
    context.note({ digest, size: entry.size })
    return { status: outcome === 'created' ? 201 : 200, headers: entryHeaders(entry), content: entry }
  },

  async beginUpload({ id, body }, { stores }) {
    const { created, upload } = await beginUpload(stores, { id, ...body })
    return created
      ? { status: 201, headers: { Location: uploadPath(id.ref, id.digest) }, content: upload }
      : { status: 200, content: upload }
  },

  presignParts: async ({ id, body }, { stores }) => ({
    status: 200,
    content: await presignParts(stores, id, body),
  }),

  async commitUpload({ id }, { stores, requestId, note }) {
    const result = await commitUpload(stores, { id, commitId: requestId })
    if (result.outcome === 'verifying')
      return {
        status: 202,
        headers: { Location: uploadPath(id.ref, id.digest), 'Retry-After': POLL_SECONDS },
        content: result.upload,
      }
    const { entry, outcome } = result
    note({ digest: entry.digest, size: entry.size })
    return { status: outcome === 'created' ? 201 : 200, headers: entryHeaders(entry), content: entry }
  },

  async abortUpload({ id }, { stores }) {
    await abortUpload(stores, id)
    return { status: 204 }
  },
}

/** A store announces its size in `Content-Length`, so an error about the size names that header. */
function nameLength(error: unknown): never {
  if (!isBucketError(error, 'invalid_request')) throw error
  const errors = error.details.errors.map((one) =>
    one.name === 'size'
      ? { in: 'header' as const, name: 'Content-Length', detail: one.detail }
      : placedError(one),
  )
  throw invalidInputs(errors)
}
