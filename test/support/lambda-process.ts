/**
 * A Lambda bundle in a process of its own, as the service runs it: the bundle alone in a folder without node_modules, only the
 * function's variables in the environment, one event at a time.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda'
import { type BuildResult, build } from 'esbuild'
import type { LambdaSide } from '../../lib/deployment/environment.ts'
import { BUNDLE, handlerEntry } from '../../lib/infra/bundling.ts'

export interface Bundle {
  readonly file: string
  /** Bytes. */
  readonly size: number
  /** The modules that the bundle includes, in whole or in part. */
  readonly modules: readonly string[]
  remove(): Promise<void>
}

export async function buildBundle(side: LambdaSide): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), 'bucket-lambda-'))
  const file = join(folder, 'index.js')
  const { metafile }: BuildResult<{ metafile: true }> = await build({
    ...BUNDLE,
    entryPoints: [handlerEntry(side)],
    outfile: file,
    metafile: true,
    logLevel: 'error',
  })
  await writeFile(join(folder, 'host.js'), HOST)
  const outputs = Object.values(metafile.outputs)
  return {
    file,
    size: outputs.reduce((sum, { bytes }) => sum + bytes, 0),
    modules: outputs.flatMap(({ inputs }) =>
      Object.entries(inputs)
        .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
        .map(([name]) => name),
    ),
    remove: () => rm(folder, { recursive: true }),
  }
}

/** Loads the bundle and handles events from the channel; like the runtime it parses and prints JSON. */
const HOST = `
const { handler } = require('./index.js')
process.on('message', async (event) => {
  process.send({ result: JSON.stringify(await handler(JSON.parse(event))) })
})
process.send({ version: process.version })
`

export interface LambdaProcess {
  readonly nodeVersion: string
  /** Its stdout so far. */
  output(): string
  invoke(event: APIGatewayProxyEvent | string): Promise<APIGatewayProxyResult>
  stop(): Promise<void>
}

interface Message {
  readonly version?: string
  readonly result?: string
}

/**
 * @param node the path of the Node binary.
 * @throws Error with its output if it ends before it is ready, like a Lambda function whose initialisation fails.
 */
export async function startLambda(
  node: string,
  bundle: Bundle,
  env: Readonly<Record<string, string>>,
): Promise<LambdaProcess> {
  const folder = join(bundle.file, '..')
  const child = spawn(node, [join(folder, 'host.js')], {
    cwd: folder,
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  let errors = ''
  child.stdout?.on('data', (chunk) => {
    output += String(chunk)
  })
  child.stderr?.on('data', (chunk) => {
    errors += String(chunk)
  })
  const exited = once(child, 'close').then(() => {
    throw new Error(`the Lambda process ended: ${errors}`)
  })
  exited.catch(() => {})
  const next = async (): Promise<Message> => {
    const [message] = (await Promise.race([once(child, 'message'), exited])) as [Message]
    return message
  }
  const { version = '' } = await next()
  return {
    nodeVersion: version,
    output: () => output,
    async invoke(event) {
      const answered = next()
      child.send(typeof event === 'string' ? event : JSON.stringify(event))
      const { result = '' } = await answered
      return JSON.parse(result) as APIGatewayProxyResult
    },
    async stop() {
      child.kill()
      await exited.catch(() => {})
    },
  }
}
