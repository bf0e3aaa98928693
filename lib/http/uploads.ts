/** The resources of an upload: begin, state, parts, commit, give up (docs/http-api.md, section 7). */
import { DEFAULT_CONTENT_TYPE } from '../domain/description.ts'
import type { UploadId } from '../domain/upload.ts'
import { encodePresigned, encodeUpload } from '../protocol/encode.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import { MESSAGES, type Message, type MessageName } from '../protocol/messages.ts'
import { uploadPath, versionPath } from '../protocol/routes.ts'
import { validate } from '../protocol/validate.ts'
import type { Repository } from '../repository/repository.ts'
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
  return json(created ? 201 : 200, encodeUpload(upload, operation), location)
}

export async function uploadState(
  repository: Repository,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const id = inputs.required(readId(inputs))
  about(operation, id)
  return json(200, encodeUpload(await repository.uploadState(id, operation), operation))
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
  const presigned = await repository.presignParts(id, parts, operation)
  return json(200, {
    parts: presigned.map((part) => ({
      number: part.number,
      request: encodePresigned(part.request, operation),
    })),
  })
}

export async function commitUpload(
  repository: Repository,
  inputs: Inputs,
  operation: Operation,
): Promise<HttpResponse> {
  const id = inputs.required(readId(inputs))
  about(operation, id)
  const result = await repository.commitUpload(id, operation)
  if (result.outcome === 'verifying')
    return json(202, encodeUpload(result.upload, operation), {
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
  await repository.abortUpload(id, operation)
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
  for (const { name: member, detail } of result.errors) inputs.fault('body', member, detail)
  return undefined
}
