/** `bucket digest`: the digest of local bytes. It sends no request. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { stdinStream } from './stdin-stream.ts'

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
  const { digestStream } = await import('../client/node.ts')
  const output = createOutput(options, context)
  const total = file === '-' ? undefined : (await stat(file)).size || undefined
  try {
    const bytes = file === '-' ? stdinStream(stdin()) : createReadStream(file, { highWaterMark: 512 * 1024 })
    const computed = await digestStream(bytes, { onProgress: output.onProgress, signal }, total)
    await output.result(`${computed.digest}\n`, computed)
  } finally {
    output.close()
  }
}
