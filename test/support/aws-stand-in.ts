/**
 * A stand-in for the calls of S3, DynamoDB and SQS that Bucket makes, over HTTP on loopback, so that the real SDK clients run
 * against it. It records every call, and fails on demand. It is not an emulator: it ignores signatures, and knows only the calls that
 * Bucket makes.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Item } from './dynamo-condition.ts'
import { type DynamoDbOperation, type DynamoInput, dynamoDbAnswer } from './dynamodb-stand-in.ts'
import { type S3Operation, type S3StandIn, s3Operation, s3StandIn } from './s3-stand-in.ts'
import { type Answer, json, jsonRefusal, refusal } from './stand-in-answer.ts'

export type AwsOperation = S3Operation | DynamoDbOperation | SqsOperation

type SqsOperation = 'SendMessage' | 'ChangeMessageVisibility'

export interface AwsCall {
  readonly operation: AwsOperation
  readonly headers: IncomingMessage['headers']
  /** The path of the S3 object, with the S3 bucket, decoded. */
  readonly path: string
  /** The decoded JSON of a DynamoDB or SQS call. */
  readonly input: JsonInput
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

interface JsonInput extends DynamoInput {
  readonly MessageBody?: string
  readonly VisibilityTimeout?: number
}

export interface AwsStandIn {
  readonly url: string
  readonly calls: AwsCall[]
  readonly s3: S3StandIn
  /** Those of `s3`. */
  readonly objects: S3StandIn['objects']
  readonly openUploads: S3StandIn['openUploads']
  /** The bodies of the messages that were sent. */
  readonly messages: string[]
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

interface Call {
  readonly operation: AwsOperation
  readonly input: JsonInput
  readonly carryOut: () => Answer
  readonly refuse: (status: number, code: string) => Answer
}

export async function startAwsStandIn(): Promise<AwsStandIn> {
  const calls: AwsCall[] = []
  const s3 = s3StandIn()
  const rows = new Map<string, Item>()
  const messages: string[] = []
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
    const { operation, input, carryOut, refuse } = callOf(request, url, body)
    calls.push({ operation, headers: request.headers, path: decodeURIComponent(url.pathname), input })

    const how = nextMisbehaviour(operation)
    if (how === 'stall') return
    if (how === 'drop') return void request.socket.destroy()
    if (typeof how === 'object') return send(response, refuse(how.status, how.code))
    const done = carryOut()
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

  /** DynamoDB and SQS name the operation in a header. */
  function callOf({ method = '', headers }: IncomingMessage, url: URL, body: Buffer): Call {
    const target = headers['x-amz-target']
    if (target === undefined) {
      const operation = s3Operation(method, url, 'x-amz-copy-source' in headers)
      const carryOut = () => s3.answer(operation, { headers, url, body })
      return { operation, input: {}, carryOut, refuse: refusal }
    }
    const operation = String(target).split('.')[1] as DynamoDbOperation | SqsOperation
    const input = JSON.parse(body.toString()) as JsonInput
    return { operation, input, carryOut: () => jsonAnswer(operation, input), refuse: jsonRefusal }
  }

  function jsonAnswer(operation: DynamoDbOperation | SqsOperation, input: JsonInput): Answer {
    switch (operation) {
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
      default:
        return dynamoDbAnswer(rows, operation, input)
    }
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    s3,
    objects: s3.objects,
    openUploads: s3.openUploads,
    rows,
    messages,
    misbehave: (operation, how, times = Number.POSITIVE_INFINITY) =>
      void misbehaviour.set(operation, { how, times }),
    reset: () => {
      calls.length = 0
      messages.length = 0
      s3.reset()
      rows.clear()
      misbehaviour.clear()
    },
    operations: () => calls.map(({ operation }) => operation),
    openAnswers: () => open,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers)
  response.end(body)
}
