/** `bucket check`: which of many refs are stored, and with which bytes, before anything is computed or sent. */
import type { Command } from 'commander'
import type { CheckResult } from '../client/node.ts'
import { formatPinnedRef, formatRef } from '../domain/identifiers.ts'
import { type ConnectionOptions, connect, withConnection } from './connection.ts'
import type { CliContext } from './context.ts'
import { entryDocument } from './documents.ts'
import { EXIT } from './exit-codes.ts'
import { ExitError, UsageError } from './failure.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { parsePinnedRefs } from './refs.ts'

type CheckOptions = ConnectionOptions & OutputOptions

export function addCheckCommand(program: Command, context: CliContext): void {
  const command = program
    .command('check')
    .description('say for each reference whether it is absent, stored, identical or different')
    .argument('<ref...>', 'bucket_id/artifact_id/version, with @sha256:… to compare; - reads them from stdin')
    .addHelpText(
      'after',
      `
Exits with ${EXIT.done} if every reference is stored and has the digest that was given, with ${EXIT.notFound} if one is absent,
and with ${EXIT.conflict} if one has other bytes.

Examples:
  bucket check prod-models/llama-3-8b/v3.1.0
  bucket check evals/run-47/a@sha256:9f86d0… evals/run-47/b@sha256:3b7c11…
  cut -d' ' -f1 bucket.lock | grep -v '^#' | bucket check -`,
    )
    .action((texts: readonly string[], options: CheckOptions) => check(texts, options, context))
  withOutput(withConnection(command))
}

async function check(texts: readonly string[], options: CheckOptions, context: CliContext): Promise<void> {
  const given = texts.includes('-')
    ? [...texts.filter((text) => text !== '-'), ...(await lines(context))]
    : texts
  if (given.length === 0)
    throw new UsageError('stdin names no references', 'Write one reference per line.', 'Nothing to check')
  const refs = parsePinnedRefs(given)
  const output = createOutput(options, context)
  const bucket = await connect(options, context, output)
  const results = await bucket.check(refs, context)
  await output.result(results.map(line).join(''), { results: results.map(document) })
  const states = new Set(results.map(({ state }) => state))
  if (states.has('different')) throw new ExitError(EXIT.conflict)
  if (states.has('absent')) throw new ExitError(EXIT.notFound)
}

async function lines({ stdin }: CliContext): Promise<string[]> {
  const chunks: Buffer[] = []
  for await (const chunk of stdin()) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString().split(/\s+/).filter(Boolean)
}

function line({ ref, state, entry }: CheckResult): string {
  const stored = entry ? formatPinnedRef({ ref, digest: entry.digest }) : formatRef(ref)
  return `${state.padEnd(9)}  ${stored}\n`
}

const document = ({ ref, digest, state, entry }: CheckResult) => ({
  ref: formatRef(ref),
  digest,
  state,
  entry: entry && entryDocument(entry),
})
