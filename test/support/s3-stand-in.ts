/**
 * The S3 part of the stand-in for AWS: objects, and multipart uploads. It refuses what S3 refuses: a second object of a create-only
 * write, a wrong SHA-256, wrong parts of a Complete.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { completedParts, type OpenUpload, RefusedParts } from './multipart-upload.ts'
import { type Answer, refusal, xml } from './stand-in-answer.ts'

export type S3Operation =
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'HeadBucket'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListParts'
  | 'UploadPartCopy'
  | 'DeleteObject'

export interface StandInObject {
  bytes: Buffer
  contentType: string
  etag: string
  /** S3's own SHA-256; null where it keeps a CRC64NVME instead. */
  sha256: { readonly value: string; readonly type: 'FULL_OBJECT' | 'COMPOSITE' } | null
  metadata: Record<string, string>
}

type Described = Pick<StandInObject, 'contentType' | 'metadata'>

export interface S3StandIn {
  readonly objects: Map<string, StandInObject>
  /** Multipart uploads that were neither completed nor aborted. */
  readonly openUploads: Map<string, OpenUpload<Described>>
  /** The most parts on one page of a list. */
  partsPerPage: number
  /** How a list of parts escapes the quotes of an ETag: AWS writes `&quot;`, other engines `&#34;`. */
  escapedQuote: '&quot;' | '&#34;'
  answer(operation: S3Operation, request: S3Request): Answer
  reset(): void
}

export interface S3Request {
  readonly headers: IncomingMessage['headers']
  readonly url: URL
  readonly body: Buffer
}

const DEFAULTS = { partsPerPage: 1000, escapedQuote: '&quot;' } as const

export function s3StandIn(): S3StandIn {
  const objects = new Map<string, StandInObject>()
  const openUploads = new Map<string, OpenUpload<Described>>()
  const s3: S3StandIn = {
    ...DEFAULTS,
    objects,
    openUploads,
    answer,
    reset() {
      objects.clear()
      openUploads.clear()
      Object.assign(s3, DEFAULTS)
    },
  }
  return s3

  function answer(operation: S3Operation, { headers, url, body }: S3Request): Answer {
    const key = decodeURIComponent(url.pathname)
    const uploadId = url.searchParams.get('uploadId') ?? ''
    const createOnly = () => headers['if-none-match'] === '*' && objects.has(key)
    const checksum = sha256(body)
    const declared = headers['x-amz-checksum-sha256']
    const described = (): Described => ({
      contentType: String(headers['content-type'] ?? ''),
      metadata: Object.fromEntries(
        Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-')),
      ) as Record<string, string>,
    })
    switch (operation) {
      case 'PutObject':
        if (declared !== undefined && declared !== checksum) return refusal(400, 'BadDigest')
        if (createOnly()) return refusal(412, 'PreconditionFailed')
        objects.set(key, {
          bytes: body,
          ...described(),
          etag: etagOf(checksum),
          sha256: declared === undefined ? null : { value: checksum, type: 'FULL_OBJECT' },
        })
        return { status: 200, headers: { etag: etagOf(checksum) } }
      case 'CreateMultipartUpload': {
        const id = randomUUID()
        const algorithm = headers['x-amz-checksum-algorithm'] === 'SHA256' ? 'SHA256' : null
        openUploads.set(id, { object: described(), algorithm, parts: new Map() })
        return xml('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`)
      }
      case 'UploadPart': {
        const upload = openUploads.get(uploadId)
        if (!upload) return refusal(404, 'NoSuchUpload')
        // S3 requires the checksum algorithm that the upload was created with.
        if ((declared === undefined) !== (upload.algorithm === null)) return refusal(400, 'InvalidRequest')
        if (declared !== undefined && declared !== checksum) return refusal(400, 'BadDigest')
        upload.parts.set(Number(url.searchParams.get('partNumber')), { bytes: body, checksum })
        return { status: 200, headers: { etag: etagOf(checksum), 'x-amz-checksum-sha256': checksum } }
      }
      case 'UploadPartCopy': {
        const upload = openUploads.get(uploadId)
        if (!upload) return refusal(404, 'NoSuchUpload')
        const source = objects.get(`/${decodeURIComponent(String(headers['x-amz-copy-source']))}`)
        if (!source) return refusal(404, 'NoSuchKey')
        if (headers['x-amz-copy-source-if-match'] !== source.etag) return refusal(412, 'PreconditionFailed')
        const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(String(headers['x-amz-copy-source-range'])) ?? []
        const bytes = source.bytes.subarray(Number(first), Number(last) + 1)
        const copied = sha256OfRange(source.bytes, Number(first), Number(last) + 1)
        upload.parts.set(Number(url.searchParams.get('partNumber')), { bytes, checksum: copied })
        return xml(
          'CopyPartResult',
          `<ETag>${etagOf(copied)}</ETag>${upload.algorithm ? `<ChecksumSHA256>${copied}</ChecksumSHA256>` : ''}`,
        )
      }
      case 'ListParts': {
        const upload = openUploads.get(uploadId)
        if (!upload) return refusal(404, 'NoSuchUpload')
        const after = Number(url.searchParams.get('part-number-marker') ?? 0)
        const rest = [...upload.parts].filter(([number]) => number > after).sort(([a], [b]) => a - b)
        const page = rest.slice(0, s3.partsPerPage)
        const parts = page.map(
          ([number, { bytes, checksum: of }]) =>
            `<Part><PartNumber>${number}</PartNumber><ETag>${etagOf(of).replaceAll('"', s3.escapedQuote)}</ETag>` +
            `<Size>${bytes.byteLength}</Size><ChecksumSHA256>${of}</ChecksumSHA256></Part>`,
        )
        return xml(
          'ListPartsResult',
          `<NextPartNumberMarker>${page.at(-1)?.[0] ?? 0}</NextPartNumberMarker>` +
            `<IsTruncated>${rest.length > page.length}</IsTruncated>${parts.join('')}`,
        )
      }
      case 'CompleteMultipartUpload': {
        const upload = openUploads.get(uploadId)
        if (!upload) return refusal(404, 'NoSuchUpload')
        if (createOnly()) return refusal(412, 'PreconditionFailed')
        const parts = completedParts(upload, body.toString(), etagOf)
        if (parts instanceof RefusedParts) return refusal(400, parts.code)
        const composite = `${sha256(Buffer.from(parts.map((part) => part.checksum).join('')))}-${parts.length}`
        objects.set(key, {
          bytes: Buffer.concat(parts.map(({ bytes }) => bytes)),
          ...upload.object,
          etag: etagOf(composite),
          sha256: upload.algorithm && { value: composite, type: 'COMPOSITE' },
        })
        openUploads.delete(uploadId)
        return xml('CompleteMultipartUploadResult', '<ETag>many</ETag>')
      }
      case 'AbortMultipartUpload':
        return openUploads.delete(uploadId) ? { status: 204 } : refusal(404, 'NoSuchUpload')
      case 'DeleteObject':
        objects.delete(key)
        return { status: 204 }
      case 'HeadBucket':
        return { status: 200 }
      case 'HeadObject':
      case 'GetObject': {
        const object = objects.get(key)
        if (!object) return operation === 'HeadObject' ? { status: 404 } : refusal(404, 'NoSuchKey')
        const { etag } = object
        if ((headers['if-match'] ?? etag) !== etag) return refusal(412, 'PreconditionFailed')
        const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '')
        const bytes = range ? object.bytes.subarray(Number(range[1]), Number(range[2]) + 1) : object.bytes
        const isAsked = headers['x-amz-checksum-mode'] === 'ENABLED'
        const shown: Record<string, string> = !isAsked
          ? {}
          : object.sha256
            ? { 'x-amz-checksum-sha256': object.sha256.value, 'x-amz-checksum-type': object.sha256.type }
            : { 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=', 'x-amz-checksum-type': 'FULL_OBJECT' }
        return {
          status: range ? 206 : 200,
          headers: {
            etag,
            'content-type': object.contentType,
            'content-length': String(bytes.byteLength),
            ...object.metadata,
            ...shown,
          },
          ...(operation === 'GetObject' ? { body: bytes } : {}),
        }
      }
    }
  }
}

/** @returns the operation of a request to S3, by its method and its query. */
export function s3Operation(method: string, url: URL, isCopy: boolean): S3Operation {
  const isKey = url.pathname.split('/').filter(Boolean).length > 1
  const query = url.searchParams
  if (method === 'PUT' && isCopy) return 'UploadPartCopy'
  if (method === 'PUT') return query.has('uploadId') ? 'UploadPart' : 'PutObject'
  if (method === 'POST') return query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload'
  if (method === 'DELETE') return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject'
  if (method === 'HEAD') return isKey ? 'HeadObject' : 'HeadBucket'
  return query.has('uploadId') ? 'ListParts' : 'GetObject'
}

const etagOf = (checksum: string): string => `"${checksum.replace(/\W/g, '')}"`

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64')

/** The digests of copied ranges by their source: tests copy the same large object again and again. */
const ranges = new WeakMap<Buffer, Map<string, string>>()

function sha256OfRange(source: Buffer, first: number, end: number): string {
  const known = ranges.get(source) ?? new Map<string, string>()
  ranges.set(source, known)
  const digest = known.get(`${first}-${end}`) ?? sha256(source.subarray(first, end))
  known.set(`${first}-${end}`, digest)
  return digest
}
