import { DynamoDBServiceException } from '@aws-sdk/client-dynamodb'
import { NoSuchKey, NotFound, S3ServiceException } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { conditionFailure } from '../../../lib/aws/dynamodb-errors.ts'
import { isMissing, isNameTaken, isSimultaneous } from '../../../lib/aws/s3-errors.ts'
import { serviceFailure } from '../../../lib/aws/sdk-failure.ts'
import { BucketError } from '../../../lib/domain/errors.ts'

const s3 = (name: string, httpStatusCode: number) =>
  new S3ServiceException({ name, $fault: 'client', message: name, $metadata: { httpStatusCode } })
const dynamo = (name: string, httpStatusCode: number) =>
  new DynamoDBServiceException({ name, $fault: 'client', message: name, $metadata: { httpStatusCode } })
const network = (code: string) => Object.assign(new Error(code), { code })

const FAILURES: [string, unknown, number][] = [
  ['S3 throttles', s3('SlowDown', 503), 5],
  ['DynamoDB throttles a simultaneous request', dynamo('PriorRequestNotComplete', 400), 5],
  ['S3 is overloaded', s3('ServiceUnavailable', 503), 5],
  ['S3 breaks', s3('InternalError', 500), 1],
  ['S3 breaks inside a 200', s3('InternalError', 200), 1],
  ['S3 found other bytes than were sent', s3('BadDigest', 400), 1],
  ['another writer stays simultaneous', s3('ConditionalRequestConflict', 409), 1],
  [
    'a missing blob that the ledger promised',
    new NoSuchKey({ message: '', $metadata: { httpStatusCode: 404 } }),
    30,
  ],
  ['a role without a right', s3('AccessDenied', 403), 30],
  ['a missing S3 bucket', s3('NoSuchBucket', 404), 30],
  ['expired credentials', s3('ExpiredToken', 400), 30],
  ['DynamoDB throttles', dynamo('ProvisionedThroughputExceededException', 400), 5],
  ['the account throttles', dynamo('RequestLimitExceeded', 400), 5],
  ['a call is throttled', dynamo('ThrottlingException', 400), 5],
  ['DynamoDB breaks', dynamo('InternalServerError', 500), 1],
  ['a missing table', dynamo('ResourceNotFoundException', 400), 30],
  ['a role without a right on the table', dynamo('AccessDeniedException', 400), 30],
  ['a time-out', Object.assign(new Error('late'), { name: 'TimeoutError' }), 1],
  ['a refused connection', network('ECONNREFUSED'), 1],
  ['the connection breaks', network('ECONNRESET'), 1],
  ['an unknown host name', network('ENOTFOUND'), 1],
  ['no credentials', Object.assign(new Error('none'), { name: 'CredentialsProviderError' }), 1],
  ['a response that the SDK cannot parse', Object.assign(new SyntaxError('<html>'), { $metadata: {} }), 1],
  ['an abort by somebody else', Object.assign(new Error('aborted'), { name: 'AbortError' }), 1],
]

describe('every failure of a service is unavailable, says when to retry, and is never "not found"', () => {
  test.each(FAILURES)('%s', (_, error, retryAfter) => {
    const failure = serviceFailure(error, 'the blob could not be read')
    expect(failure).toBeInstanceOf(BucketError)
    expect(failure).toMatchObject({
      code: 'unavailable',
      retryable: true,
      retryAfter,
      cause: error,
    })
  })
})

test('the message of a failure says what failed, without the inner message', () => {
  const secret = s3('arn:aws:s3:::secret-name', 403)
  expect((serviceFailure(secret, 'the blob could not be read') as Error).message).toBe(
    'the blob could not be read: the service refused the call',
  )
})

test('an abort of our own signal is reported with its reason', () => {
  const error = Object.assign(new Error('aborted'), { name: 'AbortError' })
  const reason = new Error('the caller went away')
  expect(serviceFailure(error, 'x', AbortSignal.abort(reason))).toBe(reason)
  expect(serviceFailure(error, 'x', AbortSignal.abort())).toMatchObject({ name: 'AbortError' })
})

test('errors of Bucket itself and defects of our own code are not translated', () => {
  const refusal = new BucketError('upload_not_found', 'no', {})
  const defect = new TypeError('undefined is not a function')
  expect(serviceFailure(refusal, 'x')).toBe(refusal)
  expect(serviceFailure(defect, 'x')).toBe(defect)
})

test('only errors with a meaning are recognized', () => {
  expect(isNameTaken(s3('PreconditionFailed', 412))).toBe(true)
  expect(isSimultaneous(s3('ConditionalRequestConflict', 409))).toBe(true)
  expect(isMissing(new NotFound({ message: '', $metadata: { httpStatusCode: 404 } }))).toBe(true)
  expect(isMissing(new NoSuchKey({ message: '', $metadata: { httpStatusCode: 404 } }))).toBe(true)
  expect(isMissing(s3('NoSuchBucket', 404))).toBe(false)
  expect(isMissing(s3('Forbidden', 403))).toBe(false)
  expect(isMissing(Object.assign(new Error('x'), { name: 'NotFound' }))).toBe(false)
  expect(conditionFailure(dynamo('ThrottlingException', 400))).toBeUndefined()
})
