/** The responses of a stand-in for AWS. */

export interface Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

export const json = (message: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify(message),
})

export const xml = (root: string, inner: string, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?><${root}>${inner}</${root}>`,
})

/** A refusal of S3. */
export const refusal = (status: number, code: string): Answer =>
  xml('Error', `<Code>${code}</Code><Message>${code}</Message>`, status)

/** A refusal of DynamoDB or SQS. */
export const jsonRefusal = (status: number, code: string): Answer =>
  json({ __type: `com.amazonaws.dynamodb.v20120810#${code}`, message: code }, status)
