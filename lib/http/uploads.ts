/** The resources of an upload: begin, state, parts, commit, give up (docs/http-api.md, section 7). */
import { DEFAULT_CONTENT_TYPE } from '../domain/entry.ts'
import { BucketError, isBucketError } from '../domain/errors.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import {
  MESSAGES,
  type Message,
  type MessageName,
  type PresignedRequestMessage,
  type UploadMessage,
} from '../protocol/messages.ts'
import { uploadPath, versionPath } from '../protocol/routes.ts'
import { validate } from '../protocol/validate.ts'
import type { Repository } from '../repository/repository.ts'
import type { UploadId } from '../repository/upload-ports.ts'
import type { Inputs } from './inputs.ts'
import { json } from './json.ts'
import { readJson } from './json-body.ts'
import type { Operation } from './operation.ts'
import { digestHeaders, refuseCodings } from './store.ts'

/** How long a client should wait before it looks at a verification again, in seconds. */
const POLL_SECONDS = '1'

export async function beginUpload(
  repository: Repository,
  request: HttpRequest,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const parsedId = readId(inputs)
  const body = await parsedJson(request, inputs, 'BeginUpload')
  const { id, body: terms } = inputs.required(parsedId && body && { id: parsedId, body })
  about(operation, id)
  refuseCodings(request.headers.get('Content-Encoding'))
  const { created, upload } = await repository.beginUpload(
    {
      id,
      size: terms.size,
      mode: terms.mode ?? undefined,
      description: {
        contentType: terms.content_type ?? DEFAULT_CONTENT_TYPE,
        uploadedBy: terms.uploaded_by ?? null,
        provenanceSource: terms.provenance_source ?? null,
      },
    },
    operation,
  )
  const location = created ? { Location: uploadPath(id.ref, id.digest) } : {}
  return json(created ? 201 : 200, absolute(upload, request.origin), location)
}

export async function uploadState(
  repository: Repository,
  request: HttpRequest,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const id = inputs.required(readId(inputs))
  about(operation, id)
  return json(200, absolute(await repository.uploadState(id, operation), request.origin))
}

export async function presignParts(
  repository: Repository,
  request: HttpRequest,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const parsedId = readId(inputs)
  const body = await parsedJson(request, inputs, 'PresignParts')
  const { id, parts } = inputs.required(parsedId && body && { id: parsedId, parts: body.parts })
  about(operation, id)
  refuseCodings(request.headers.get('Content-Encoding'))
  const message = await repository.uploadParts(id, parts, operation)
  return json(200, {
    parts: message.parts.map(({ number, request: part }) => ({
      number,
      request: absoluteRequest(part, request.origin),
    })),
  })
}

export async function commitUpload(
  repository: Repository,
  request: HttpRequest,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const id = inputs.required(readId(inputs))
  about(operation, id)
  const result = await repository.commitUpload(id, operation)
  if (result.outcome === 'verifying')
    return json(202, absolute(result.upload, request.origin), {
      Location: uploadPath(id.ref, id.digest),
      'Retry-After': POLL_SECONDS,
    })
  const { entry, outcome } = result
  operation.record.size = entry.size
  const headers = { Location: versionPath(entry.ref), ...digestHeaders(entry) }
  return json(outcome === 'created' ? 201 : 200, entryMessage(entry), headers)
}

export async function abortUpload(
  repository: Repository,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const id = inputs.required(readId(inputs))
  about(operation, id)
  await repository.giveUpUpload(id, operation)
  return { status: 204, headers: { 'Cache-Control': 'no-store' }, body: null }
}

function readId(inputs: Inputs): UploadId | undefined {
  inputs.query()
  const ref = inputs.ref()
  const digest = inputs.pathDigest()
  return ref && digest && { ref, digest }
}

function about(operation: Operation, id: UploadId): void {
  operation.about(id.ref)
  operation.record.digest = id.digest
}

async function parsedJson<N extends MessageName>(
  request: HttpRequest,
  inputs: Inputs,
  name: N,
): Promise<Message<N> | undefined> {
  const body = await readJson(request, inputs)
  if (body === undefined) return undefined
  const result = validate<(typeof MESSAGES)[N]>(MESSAGES[name], body)
  if (result.ok) return result.value
  for (const { in: place, name: member, detail } of result.errors) inputs.fault(place, member, detail)
  return undefined
}

const absoluteRequest = (request: PresignedRequestMessage, origin: string): PresignedRequestMessage => ({
  ...request,
  url: new URL(request.url, origin).href,
})

/** A local store's requests are paths on this front: a client is given whole URLs. */
const absolute = (upload: UploadMessage, origin: string): UploadMessage =>
  upload.request ? { ...upload, request: absoluteRequest(upload.request, origin) } : upload

/** The upload that a conflict shows is shown as everywhere else. */
export function withAbsoluteUrls(error: BucketError, origin: string): BucketError {
  if (!isBucketError(error, 'upload_conflict') || !error.members.upload) return error
  const upload = absolute(error.members.upload, origin)
  return new BucketError('upload_conflict', error.message, { upload }, { next: error.next })
}
