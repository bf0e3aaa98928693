/** The servers of the targets: Bucket, the floor, and versitygw, an S3 server in Go. Each is a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AwsV4Signer } from 'aws4fetch'
import { freePort } from '../integration/emulator.ts'
import { gatewayArguments, installVersityGateway } from '../integration/install-versitygw.ts'
import { type Payload, payload } from './load.ts'
import { cpuSeconds, startBucketServer, startMeasured } from './server-process.ts'

const MIB = 1024 * 1024

/** How a server is asked for a version. */
export interface Address {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/** One server under load. Names of a store must be new. */
export interface Peer {
  /** Of the response to a store. */
  readonly status: number
  store(name: string, bytes: Payload): Promise<Address> | Address
  fetch(name: string, size: number): Promise<Address> | Address
  /** Processor seconds since the start. */
  cpuSeconds(): number
  stop(): Promise<void>
}

const declared = ({ digest }: Payload) => ({ 'X-Artifact-Digest': digest })

export async function startBucket(folder: string): Promise<Peer> {
  const server = await startBucketServer(join(folder, 'bucket'), '--max-artifact-bytes', '2GiB')
  const url = (name: string) => `${server.origin}/v1/buckets/bench/artifacts/targets/versions/${name}`
  return {
    ...server,
    status: 201,
    store: (name, bytes) => ({ url: url(name), headers: declared(bytes) }),
    fetch: (name) => ({ url: url(name), headers: {} }),
  }
}

export async function startFloor(folder: string, largeBytes: number): Promise<Peer> {
  const path = join(folder, 'floor')
  mkdirSync(path)
  const server = await startMeasured(['test/bench/floor-server.ts', path, String(largeBytes)])
  const url = (size: number) => `${server.origin}/${size > MIB ? 'large' : 'small'}`
  return {
    ...server,
    status: 201,
    store: (_, bytes) => ({ url: url(bytes.size), headers: declared(bytes) }),
    fetch: (_, size) => ({ url: url(size), headers: {} }),
  }
}

export async function startGateway(folder: string): Promise<Peer> {
  const program = await installVersityGateway(folder)
  const objects = join(folder, 'objects')
  mkdirSync(objects)
  const port = await freePort()
  const child = spawn(program, gatewayArguments(port, objects), { stdio: 'ignore' })
  const origin = `http://127.0.0.1:${port}`
  const ended = once(child, 'exit')
  /** Signed before the measurement. */
  async function sign(method: string, path: string, sha256: string): Promise<Record<string, string>> {
    const signer = new AwsV4Signer({
      ...{ method, url: `${origin}${path}`, service: 's3', region: 'us-east-1' },
      ...{ accessKeyId: 'test', secretAccessKey: 'test', headers: { 'x-amz-content-sha256': sha256 } },
    })
    return Object.fromEntries((await signer.sign()).headers)
  }
  const emptySha256 = payload(0, 0).digest.slice('sha256:'.length)
  for (;;) {
    const headers = await sign('PUT', '/bench', emptySha256)
    const made = await fetch(`${origin}/bench`, { method: 'PUT', headers }).catch(() => undefined)
    if (made?.ok) break
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const address = async (method: string, name: string, sha256: string) => ({
    url: `${origin}/bench/${name}`,
    headers: await sign(method, `/bench/${name}`, sha256),
  })
  return {
    status: 200,
    store: (name, bytes) => address('PUT', name, bytes.digest.slice('sha256:'.length)),
    fetch: (name) => address('GET', name, emptySha256),
    cpuSeconds: () => cpuSeconds(child),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
