/**
 * What all tools share: arguments are checked with every error at once, results have the shape of their schema, failures are
 * results in words, progress is reported, and a cancelled call ends its transfer.
 */
import type { McpServer, ServerContext, ToolAnnotations } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { BucketClient, OnProgress } from '../client/node.ts'
import { DESCRIPTION_SCHEMAS, descriptionArguments } from './description.ts'
import { progressReports } from './progress.ts'
import { CallError, describeFailure, type Refusal, refusalText } from './refusal.ts'
import type { Roots } from './roots.ts'

/** The parts of a server that its tools use. */
export interface ToolContext {
  readonly bucket: BucketClient
  readonly roots: Roots
  /** Offers only the tools that change nothing, neither in Bucket nor on this machine. */
  readonly readOnly: boolean
  readonly log: (record: object) => void
  /** Calls that have not ended. A server that stops waits for them, so that partial files are kept. */
  readonly running: Set<Promise<unknown>>
}

/** One call of a tool. */
export interface Call extends Pick<ToolContext, 'bucket' | 'roots'> {
  readonly signal: AbortSignal
  readonly onProgress: OnProgress
  /** Notes what an unfinished transfer leaves, which a failure then tells. */
  keep(sentence: string): void
}

export interface ToolDefinition<I extends z.ZodObject, O extends z.ZodObject> {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: I
  readonly output: O
  readonly annotations: ToolAnnotations
  run(args: z.output<I>, call: Call): Promise<z.input<O>>
}

/** Changes nothing, neither in Bucket nor on this machine. */
export const READS: ToolAnnotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}
/** Adds something and never replaces or removes anything; the same call again changes nothing more. */
export const ADDS: ToolAnnotations = { ...READS, readOnlyHint: false }

export function addTool<I extends z.ZodObject, O extends z.ZodObject>(
  server: McpServer,
  context: ToolContext,
  tool: ToolDefinition<I, O>,
): void {
  const { name, title, description, annotations } = tool
  const registered = server.registerTool(
    name,
    { title, description, annotations, inputSchema: unchecked(tool.input), outputSchema: tool.output },
    async (args, request) => {
      const running = answer(tool, args, request, context)
      context.running.add(running)
      return await running.finally(() => context.running.delete(running))
    },
  )
  // No list names it, and a call is told that it is disabled; the instructions of the server say why.
  if (context.readOnly && !annotations.readOnlyHint) registered.disable()
}

/** The schema as clients see it. The arguments are checked by `parse`, which says what to do next. */
const unchecked = (schema: z.ZodObject) => ({
  '~standard': {
    ...schema['~standard'],
    validate: (value: unknown) => ({ value: value as Record<string, unknown> }),
  },
})

function parse<I extends z.ZodObject>(schema: I, args: Readonly<Record<string, unknown>>): z.output<I> {
  // Assistants write null for what they leave out.
  const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null))
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.map(({ path, message }) => {
    const name = path.join('.')
    if (path.length === 1 && !(name in given)) return `${name} is missing`
    return [name, message].filter(Boolean).join(': ')
  })
  throw new CallError(
    'Invalid arguments',
    errors.join('; '),
    `Correct them and call the tool again. Its arguments are ${Object.keys(schema.shape).join(', ')}.`,
  )
}

async function answer<I extends z.ZodObject, O extends z.ZodObject>(
  tool: ToolDefinition<I, O>,
  args: Readonly<Record<string, unknown>>,
  request: ServerContext,
  { bucket, roots, log }: ToolContext,
) {
  const { signal } = request.mcpReq
  const started = performance.now()
  let kept = ''
  const record = (outcome: object) =>
    log({ operation: tool.name, ...outcome, ms: Math.round(performance.now() - started) })
  try {
    const call = {
      bucket,
      roots,
      signal,
      onProgress: notifyProgress(request),
      keep(sentence: string) {
        kept = sentence
      },
    }
    const result = await tool.run(parse(tool.input, args), call)
    record({ outcome: 'done' })
    return { content: [text(JSON.stringify(result))], structuredContent: result }
  } catch (error) {
    const refusal = withKept(describeFailure(error, descriptionArguments(args)), kept)
    if (signal.aborted) {
      // The client drops the result of a cancelled call, so this message and the log tell the bytes that are left.
      record({ outcome: 'cancelled', ...(kept && { kept }) })
      if (kept) await tellKept(request, `${tool.name} was cancelled. ${kept}`)
    } else record({ outcome: refusal.code ?? 'failed', detail: refusal.why.join('; ') })
    return { content: [text(refusalText(refusal))], isError: true }
  }
}

const text = (content: string) => ({ type: 'text' as const, text: content })

const withKept = (refusal: Refusal, kept: string): Refusal =>
  kept === '' ? refusal : { ...refusal, why: [...refusal.why, kept] }

/** The log level of clients that show messages about their own calls. */
async function tellKept({ mcpReq }: ServerContext, message: string): Promise<void> {
  await mcpReq.log('notice', message).catch(() => undefined) // the connection may be closed
}

function notifyProgress({ mcpReq }: ServerContext): OnProgress {
  const progressToken = mcpReq._meta?.progressToken
  if (progressToken === undefined) return () => {}
  return progressReports(
    (report) => {
      const params = { progressToken, ...report }
      mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined) // closed
    },
    () => performance.now(),
  )
}

/** An entry (docs/http-api.md, section 3). */
export const ENTRY = z.object({
  bucket_id: z.string(),
  artifact_id: z.string(),
  version: z.string(),
  digest: z.string().describe('sha256:<64 hex digits> of the exact bytes'),
  size: z.int().min(0).describe('bytes'),
  ...DESCRIPTION_SCHEMAS,
  created_at: z.string().describe('RFC 3339, UTC'),
})
