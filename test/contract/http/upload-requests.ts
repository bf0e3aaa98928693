/** Short forms of the requests of section 7, and the form of an upload on the wire (docs/http-api.md, section 7). */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import * as z from 'zod'
import { DIGEST, descriptionShape, entryShape, TIME } from '../../support/problem.ts'
import { header, type RawResponse } from '../../support/raw-http.ts'
import { json, type Ref, versionPath } from './requests.ts'
import type { Target } from './target.ts'

const presignedShape = z.strictObject({
  method: z.literal('PUT'),
  url: z.url(),
  headers: z.record(z.string(), z.string()),
  expires_at: z.string().regex(TIME),
})
export type Presigned = z.infer<typeof presignedShape>

const text = z.string().min(1)
const described = {
  bucket_id: text,
  artifact_id: text,
  version: text,
  digest: z.string().regex(DIGEST),
  size: z.int().gte(0),
  ...descriptionShape,
  expires_at: z.string().regex(TIME),
}
const part = z.strictObject({
  number: z.int().gte(1),
  size: z.int().gte(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
const mode = z.enum(['single', 'multipart'])

/** One form for each mode and state, without any other members. */
const uploadShape = z.union([
  z.strictObject({
    ...described,
    mode: z.literal('single'),
    state: z.literal('open'),
    received: z.boolean(),
    request: z.optional(presignedShape),
  }),
  z.strictObject({
    ...described,
    mode: z.literal('multipart'),
    state: z.literal('open'),
    received: z.array(part),
    part_size: z.int().gte(1),
    part_count: z.int().gte(1),
  }),
  z.looseObject({ ...described, mode, state: z.literal('verifying'), verified_bytes: z.int().gte(0) }),
  z.looseObject({ ...described, mode, state: z.literal('committed'), entry: entryShape }),
  z.looseObject({ ...described, mode, state: z.literal('failed'), problem: z.looseObject({ code: text }) }),
])
export type Upload = z.infer<typeof uploadShape>

export const uploadPath = (ref: Ref, digest: string): string =>
  `${versionPath(ref)}/uploads/${encodeURIComponent(digest)}`

/** Every resource of an upload. */
export const UPLOAD_RESOURCES: readonly {
  readonly path: (ref: Ref, digest: string) => string
  readonly methods: readonly string[]
}[] = [
  { path: uploadPath, methods: ['DELETE', 'GET', 'PUT'] },
  { path: (ref, digest) => `${uploadPath(ref, digest)}/parts`, methods: ['POST'] },
  { path: (ref, digest) => `${uploadPath(ref, digest)}/commit`, methods: ['POST'] },
]

export const putJson = (
  target: Target,
  path: string,
  body: unknown,
  method: 'PUT' | 'POST' = 'PUT',
): Promise<RawResponse> =>
  target.send({
    method,
    path,
    headers: [['Content-Type', 'application/json']],
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  })

/** Reads an upload, and checks that it has the members of its mode and state. */
export function expectUpload(value: unknown): Upload {
  const result = uploadShape.safeParse(value)
  expect(result.success ? [] : result.error.issues, JSON.stringify(value)).toEqual([])
  return value as Upload
}

/** Begins an upload that a test needs: 201, and the request of single mode. */
export async function begun(target: Target, ref: Ref, digest: string, terms: object) {
  const response = await putJson(target, uploadPath(ref, digest), terms)
  expect(response.status, response.body.toString('utf8')).toBe(201)
  const upload = expectUpload(json(response))
  const request = 'request' in upload ? presignedShape.parse(upload.request) : undefined
  return { upload, request }
}

/** The presigned request of one part. */
export async function partRequest(
  target: Target,
  ref: Ref,
  digest: string,
  number: number,
  sha256: string,
): Promise<Presigned> {
  const response = await putJson(
    target,
    `${uploadPath(ref, digest)}/parts`,
    { parts: [{ number, sha256 }] },
    'POST',
  )
  expect(response.status, response.body.toString('utf8')).toBe(200)
  const shape = z.strictObject({
    parts: z.tuple([z.strictObject({ number: z.literal(number), request: presignedShape })]),
  })
  return shape.parse(json(response)).parts[0].request
}

/** Sends a presigned request verbatim, with these bytes as its body. */
export const sendPresigned = (
  target: Target,
  request: Presigned,
  body: Uint8Array | string,
): Promise<RawResponse> =>
  target.follow(request.url, Object.entries(request.headers), {
    method: request.method,
    body: Buffer.from(body),
  })

export const commit = (target: Target, ref: Ref, digest: string): Promise<RawResponse> =>
  target.send({ method: 'POST', path: `${uploadPath(ref, digest)}/commit` })

export const state = async (target: Target, ref: Ref, digest: string): Promise<Upload> => {
  const response = await target.send({ method: 'GET', path: uploadPath(ref, digest) })
  expect(response.status, response.body.toString('utf8')).toBe(200)
  return expectUpload(json(response))
}

/** Commits, and follows the verification to its end. Returns the upload in its final state. */
export async function settled(target: Target, ref: Ref, digest: string): Promise<Upload> {
  const response = await commit(target, ref, digest)
  if (response.status === 202) {
    expect(Number(header(response, 'Retry-After'))).toBeGreaterThan(0)
    expect(decodeURIComponent(header(response, 'Location') ?? '')).toBe(
      decodeURIComponent(uploadPath(ref, digest)),
    )
    expect(expectUpload(json(response))).toMatchObject({ state: 'verifying' })
  } else expect([200, 201, 400]).toContain(response.status)
  for (const deadline = Date.now() + 60_000; ; await pause(100)) {
    const upload = await state(target, ref, digest)
    if (upload.state === 'committed' || upload.state === 'failed') return upload
    if (Date.now() > deadline) expect.fail(`still ${upload.state} after a minute`)
  }
}
