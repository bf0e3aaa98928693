/** The platform of Node: its own HTTP, its own SHA-256, temporaries on disk, the credentials that AWS tools find. */
import type { AwsCredentials, Platform } from '../platform.ts'
import { spool } from './file-source.ts'
import { createSha256 } from './sha256.ts'
import { type NodeTransportOptions, nodeTransport } from './transport.ts'

/** @returns a platform with connections and, once they were found, AWS credentials of its own: one for each client. */
export function nodePlatform(options: NodeTransportOptions = {}): Platform {
  let credentials: (() => Promise<AwsCredentials>) | undefined
  return {
    transport: nodeTransport({ proxyEnvironment: process.env, ...options }),
    sha256: createSha256,
    spool,
    async awsCredentials() {
      // Loaded late, because other kinds of authorization do not need it. The provider keeps what it found until that expires.
      const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
      credentials ??= defaultProvider()
      return await credentials()
    },
  }
}
