/** The exports of both public entries in addition to the client: domain values, errors, and the types of options. */
export { type Digest, parseDigest } from '../domain/digest.ts'
export type { Entry } from '../domain/entry.ts'
export { BucketError, type ErrorCode, isBucketError } from '../domain/errors.ts'
export { type ArtifactRef, formatRef } from '../domain/identifiers.ts'
export { artifactRef, parseRef } from '../domain/refs.ts'
export type { ReceivedPart } from '../domain/upload.ts'
export type { Auth } from './api/auth.ts'
export type { Service } from './api/decode.ts'
export type { ClientEvent, OnEvent } from './api/events.ts'
export { NetworkError, type NetworkErrorKind } from './api/network-error.ts'
export type { RetryPolicy } from './api/retry.ts'
export type { Timeouts } from './api/transport.ts'
export type { Upload } from './api/uploads.ts'
export {
  type BucketClientOptions,
  type CallOptions,
  DEFAULT_URL,
  type Ensured,
  type PutSource,
  type RefInput,
} from './client.ts'
export type { AwsCredentials } from './platform.ts'
export type { CheckResult } from './transfer/check.ts'
export type { GetOptions, VerifiedStream } from './transfer/download.ts'
export type { OnProgress, Phase, Progress, TransferOptions } from './transfer/progress.ts'
export type { PutOptions, PutResult } from './transfer/put-options.ts'
export { type ByteStream, type Source, SourceChangedError } from './transfer/source.ts'
