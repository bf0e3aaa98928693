/**
 * A stand-in for the calls of S3, DynamoDB and SQS that Bucket makes, over HTTP on loopback, so that the real SDK clients run
 * against it. It refuses what AWS refuses (a second object of a create-only write, a wrong SHA-256, wrong parts of a Complete, a
 * condition that does not hold), records every call, and fails on demand. It is not an emulator: it ignores signatures, and
 * answers 501 to calls that Bucket does not make.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { holds, type Item } from './dynamo-condition.ts'
import { completedParts, type OpenUpload, RefusedParts } from './multipart-upload.ts'

export type AwsOperation =
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
  | 'GetItem'
  | 'PutItem'
  | 'DeleteItem'
  | 'Query'
  | 'SendMessage'
  | 'ChangeMessageVisibility'

export interface AwsCall {
  readonly operation: AwsOperation
  readonly headers: IncomingMessage['headers']
  /** The path of the S3 object, with the S3 bucket, decoded. */
  readonly path: string
  /** The decoded JSON of a DynamoDB or SQS call. */
  readonly input: DynamoInput
}

/** `stall`: no response, ever. `drop`: the connection is cut. `cut`, `pause`: half a body, then the connection is cut, or silent. */
export type Misbehaviour =
  | 'stall'
  | 'drop'
  | 'cut'
  | 'pause'
  | { readonly status: number; readonly code: string }
  /** The call is carried out, but its response never arrives. */
  | 'lose-answer'

interface DynamoInput {
  readonly TableName?: string
  readonly Key?: Item
  readonly Item?: Item
  readonly ConsistentRead?: boolean
  readonly ConditionExpression?: string
  readonly ReturnValuesOnConditionCheckFailure?: string
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>
  readonly ExpressionAttributeValues?: Item
  readonly MessageBody?: string
  readonly VisibilityTimeout?: number
  readonly ExclusiveStartKey?: Item
  readonly Limit?: number
}

export interface StandInObject {
  bytes: Buffer
  contentType: string
  etag: string
  /** S3's own SHA-256; null where it keeps a CRC64NVME instead. */
  sha256: { readonly value: string; readonly type: 'FULL_OBJECT' | 'COMPOSITE' } | null
  metadata: Record<string, string>
}

export interface AwsStandIn {
  readonly url: string
  readonly calls: AwsCall[]
  readonly objects: Map<string, StandInObject>
  /** The most parts on one page of a list. */
  partsPerPage: number
  /** How a list of parts escapes the quotes of an ETag: AWS writes `&quot;`, other engines `&#34;`. */
  escapedQuote: '&quot;' | '&#34;'
  /** The bodies of the messages that were sent. */
  readonly messages: string[]
  /** Multipart uploads that were neither completed nor aborted. */
  readonly openUploads: ReadonlyMap<string, unknown>
  readonly rows: Map<string, Item>
  /** Misbehaves at the next `times` calls of an operation; by default at all of them. */
  misbehave(operation: AwsOperation, how: Misbehaviour, times?: number): void
  /** Forgets calls and misbehaviour, objects and rows. */
  reset(): void
  operations(): AwsOperation[]
  /** Responses in progress. */
  openAnswers(): number
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

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

export async function startAwsStandIn(): Promise<AwsStandIn> {
  const calls: AwsCall[] = []
  const objects = new Map<string, StandInObject>()
  const uploads = new Map<string, OpenUpload<Pick<StandInObject, 'contentType' | 'metadata'>>>()
  const rows = new Map<string, Item>()
  const messages: string[] = []
  let partsPerPage = 1000
  let escapedQuote: AwsStandIn['escapedQuote'] = '&quot;'
  const misbehaviour = new Map<AwsOperation, { how: Misbehaviour; times: number }>()

  let open = 0
  const server = createServer((request, response) => {
    open += 1
    response.once('close', () => {
      open -= 1
    })
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  server.keepAliveTimeout = 1000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const url = new URL(request.url ?? '/', 'http://stand-in')
    const target = request.headers['x-amz-target']
    const operation = target
      ? (String(target).split('.')[1] as AwsOperation)
      : s3Operation(request.method ?? '', url, 'x-amz-copy-source' in request.headers)
    const input = target ? (JSON.parse(body.toString()) as DynamoInput) : {}
    calls.push({ operation, headers: request.headers, path: decodeURIComponent(url.pathname), input })

    const how = nextMisbehaviour(operation)
    if (how === 'stall') return
    if (how === 'drop') return void request.socket.destroy()
    if (typeof how === 'object') return send(response, refusal(how.status, how.code, target !== undefined))
    const done = target ? dynamo(operation, input) : s3(operation, request, url, body)
    if (how === 'lose-answer') return void request.socket.destroy()
    if (how === 'cut' || how === 'pause') {
      const whole = Buffer.from(done.body ?? '')
      response.writeHead(done.status, { ...done.headers, 'content-length': whole.byteLength })
      response.write(whole.subarray(0, whole.byteLength / 2), () => {
        if (how === 'cut') request.socket.destroy()
      })
      return
    }
    send(response, done)
  }

  function nextMisbehaviour(operation: AwsOperation): Misbehaviour | undefined {
    const rule = misbehaviour.get(operation)
    if (!rule || rule.times === 0) return undefined
    rule.times -= 1
    return rule.how
  }

  function s3(operation: AwsOperation, request: IncomingMessage, url: URL, body: Buffer): Answer {
    const { headers } = request
    const key = decodeURIComponent(url.pathname)
    const uploadId = url.searchParams.get('uploadId') ?? ''
    const createOnly = () => headers['if-none-match'] === '*' && objects.has(key)
    const checksum = sha256(body)
    const declared = headers['x-amz-checksum-sha256']
    const described = () => ({
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
        uploads.set(id, { object: described(), algorithm, parts: new Map() })
        return xml('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`)
      }
      case 'UploadPart': {
        const upload = uploads.get(uploadId)
        if (!upload) return refusal(404, 'NoSuchUpload')
        // S3 requires the checksum algorithm that the upload was created with.
        if ((declared === undefined) !== (upload.algorithm === null)) return refusal(400, 'InvalidRequest')
        if (declared !== undefined && declared !== checksum) return refusal(400, 'BadDigest')
        upload.parts.set(Number(url.searchParams.get('partNumber')), { bytes: body, checksum })
        return { status: 200, headers: { etag: etagOf(checksum), 'x-amz-checksum-sha256': checksum } }
      }
      case 'UploadPartCopy': {
        const upload = uploads.get(uploadId)
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
        const upload = uploads.get(uploadId)
        if (!upload) return refusal(404, 'NoSuchUpload')
        const after = Number(url.searchParams.get('part-number-marker') ?? 0)
        const rest = [...upload.parts].filter(([number]) => number > after).sort(([a], [b]) => a - b)
        const page = rest.slice(0, partsPerPage)
        const parts = page.map(
          ([number, { bytes, checksum: of }]) =>
            `<Part><PartNumber>${number}</PartNumber><ETag>${etagOf(of).replaceAll('"', escapedQuote)}</ETag>` +
            `<Size>${bytes.byteLength}</Size><ChecksumSHA256>${of}</ChecksumSHA256></Part>`,
        )
        return xml(
          'ListPartsResult',
          `<NextPartNumberMarker>${page.at(-1)?.[0] ?? 0}</NextPartNumberMarker>` +
            `<IsTruncated>${rest.length > page.length}</IsTruncated>${parts.join('')}`,
        )
      }
      case 'CompleteMultipartUpload': {
        const upload = uploads.get(uploadId)
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
        uploads.delete(uploadId)
        return xml('CompleteMultipartUploadResult', '<ETag>many</ETag>')
      }
      case 'AbortMultipartUpload':
        return uploads.delete(uploadId) ? { status: 204 } : refusal(404, 'NoSuchUpload')
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
      default:
        return refusal(501, 'NotImplemented')
    }
  }

  const rowName = (table: string | undefined, key: Item | undefined) => `${table} ${key?.pk?.S} ${key?.sk?.S}`

  function dynamo(operation: AwsOperation, input: DynamoInput): Answer {
    switch (operation) {
      case 'GetItem':
        return json({ Item: rows.get(rowName(input.TableName, input.Key)) })
      case 'PutItem':
      case 'DeleteItem': {
        const name = rowName(input.TableName, input.Item ?? input.Key)
        const existing = rows.get(name)
        if (!holds(input, existing))
          return json(
            {
              __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException',
              message: 'The conditional request failed',
              ...(input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && existing
                ? { Item: existing }
                : {}),
            },
            400,
          )
        if (operation === 'PutItem') rows.set(name, input.Item ?? {})
        else rows.delete(name)
        return json({})
      }
      case 'SendMessage': {
        const body = input.MessageBody ?? ''
        messages.push(body)
        return json({
          MessageId: randomUUID(),
          MD5OfMessageBody: createHash('md5').update(body).digest('hex'),
        })
      }
      case 'ChangeMessageVisibility':
        return json({})
      case 'Query': {
        const artifact = input.ExpressionAttributeValues?.[':artifact']?.S
        const after = input.ExclusiveStartKey?.sk?.S ?? ''
        const found = [...rows]
          .filter(([name]) => name.startsWith(`${input.TableName} ${artifact} `))
          .map(([, row]) => row)
          .filter((row) => (row.sk?.S ?? '') > after)
          .sort((a, b) => ((a.sk?.S ?? '') < (b.sk?.S ?? '') ? -1 : 1))
        const page = found.slice(0, input.Limit)
        const last = page.at(-1)
        return json({
          Items: page,
          // DynamoDB too announces more when a page is exactly full.
          ...(last && page.length === input.Limit ? { LastEvaluatedKey: { pk: last.pk, sk: last.sk } } : {}),
        })
      }
      default:
        return refusal(501, 'NotImplemented', true)
    }
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    objects,
    openUploads: uploads,
    rows,
    messages,
    get partsPerPage() {
      return partsPerPage
    },
    set partsPerPage(parts) {
      partsPerPage = parts
    },
    get escapedQuote() {
      return escapedQuote
    },
    set escapedQuote(quote) {
      escapedQuote = quote
    },
    misbehave: (operation, how, times = Number.POSITIVE_INFINITY) =>
      void misbehaviour.set(operation, { how, times }),
    reset: () => {
      calls.length = 0
      messages.length = 0
      partsPerPage = 1000
      escapedQuote = '&quot;'
      for (const state of [objects, uploads, rows, misbehaviour]) state.clear()
    },
    operations: () => calls.map(({ operation }) => operation),
    openAnswers: () => open,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function s3Operation(method: string, url: URL, isCopy: boolean): AwsOperation {
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

const json = (message: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify(message),
})

const xml = (root: string, inner: string, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?><${root}>${inner}</${root}>`,
})

const refusal = (status: number, code: string, isDynamo = false): Answer =>
  isDynamo
    ? json({ __type: `com.amazonaws.dynamodb.v20120810#${code}`, message: code }, status)
    : xml('Error', `<Code>${code}</Code><Message>${code}</Message>`, status)

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers)
  response.end(body)
}
