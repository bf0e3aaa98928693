/** What both public entries show beside the client itself: the words of the domain, errors, and the types of options. */
export { type Digest, parseDigest } from '../domain/digest.ts'
export type { Entry } from '../domain/entry.ts'
export { BucketError, type ErrorCode, isBucketError } from '../domain/errors.ts'
export { type ArtifactRef, artifactRef, formatRef, parseRef } from '../domain/identifiers.ts'
export type { Service } from './answers.ts'
export type { Auth, AwsCredentials } from './auth.ts'
export {
  type BucketClientOptions,
  type CallOptions,
  DEFAULT_URL,
  type PutSource,
  type RefInput,
} from './client.ts'
export type { GetOptions } from './download.ts'
export { NetworkError, type NetworkErrorKind } from './network-error.ts'
export type { OnProgress, Phase, Progress } from './progress.ts'
export type { PutOptions, PutResult } from './put.ts'
export type { RetryPolicy } from './retry-timing.ts'
export { type ByteStream, type Source, SourceChangedError } from './source.ts'
export type { Timeouts } from './transport.ts'
export type { ReceivedPart, Upload } from './upload-message.ts'
export type { VerifiedStream } from './verified-stream.ts'
