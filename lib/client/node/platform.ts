/** The platform of Node: its HTTP and SHA-256, temporary files, and the credential sources of AWS tools. */
import type { AwsCredentials, Platform } from '../platform.ts'
import { spool } from './file-source.ts'
import { createSha256 } from './sha256.ts'
import { type NodeTransportOptions, nodeTransport } from './transport.ts'

/** @returns a platform with its own connections and its own cached AWS credentials: one for each client. */
export function nodePlatform(options: NodeTransportOptions = {}): Platform {
  let credentials: (() => Promise<AwsCredentials>) | undefined
  return {
    transport: nodeTransport({ proxyEnvironment: process.env, ...options }),
    sha256: createSha256,
    spool,
    async awsCredentials() {
      // The provider caches credentials until they expire.
      credentials ??= await awsCredentialSource()
      return await credentials()
    },
  }
}

/** The credentials that AWS tools find. Loaded late, because other kinds of authorization do not need them. */
export async function awsCredentialSource(): Promise<() => Promise<AwsCredentials>> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
  return defaultProvider()
}
