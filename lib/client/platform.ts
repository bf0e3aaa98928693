/**
 * The differences between Node and a browser: how requests are sent, how SHA-256 is computed, how a stream is spooled, and where AWS
 * credentials come from.
 */
import type { Transport } from './api/transport.ts'
import type { TransferOptions } from './transfer/progress.ts'
import type { ByteStream, Source } from './transfer/source.ts'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** A SHA-256 computation. */
export interface Sha256 {
  update(chunk: Uint8Array): void
  /** 64 lower-case hex digits; ends the computation. */
  hex(): string
}

export interface Platform {
  readonly transport: Transport
  sha256(): Sha256
  /** Reads a stream to its end, hashing, and keeps its bytes so that they can be read again. */
  spool(stream: ByteStream, options: TransferOptions): Promise<Source>
  /** The credentials from the sources of AWS tools, if the platform has them. */
  awsCredentials?(): Promise<AwsCredentials>
}
