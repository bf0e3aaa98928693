/** `bucket digest`: the digest of local bytes. It asks nobody, and loads nothing that could. */
import type { Command } from 'commander'
import { digestFromHex } from '../domain/digest.ts'
import type { CliContext } from './context.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'

export function addDigestCommand(program: Command, context: CliContext): void {
  const command = program
    .command('digest')
    .description('print the digest of a file, as sha256sum would compute it')
    .argument('<file>', 'the file, or - for stdin')
    .addHelpText(
      'after',
      `
Examples:
  bucket digest model.safetensors
  bucket get prod-models/llama-3-8b/v3.1.0@$(bucket digest model.safetensors)`,
    )
    .action((file: string, options: OutputOptions) => digest(file, options, context))
  withOutput(command)
}

async function digest(file: string, options: OutputOptions, context: CliContext): Promise<void> {
  const { stdin, signal } = context
  const [{ createReadStream }, { stat }, { createSha256 }, { readStream }, { stdinStream }] =
    await Promise.all([
      import('node:fs'),
      import('node:fs/promises'),
      import('../client/node/sha256.ts'),
      import('../client/transfer/source.ts'),
      import('../client/node/stdin-stream.ts'),
    ])
  const output = createOutput(options, context)
  const hash = createSha256()
  const total = file === '-' ? undefined : (await stat(file)).size || undefined
  let size = 0
  try {
    const bytes = file === '-' ? stdinStream(stdin()) : createReadStream(file, { highWaterMark: 512 * 1024 })
    for await (const chunk of readStream(bytes, signal)) {
      hash.update(chunk)
      size += chunk.byteLength
      output.onProgress?.({ phase: 'hashing', bytes: size, total })
    }
    const computed = digestFromHex(hash.hex())
    await output.result(`${computed}\n`, { digest: computed, size })
  } finally {
    output.close()
  }
}
