/** The small JSON bodies of uploads: bounded, UTF-8, and with every fault of them told at once. */

import type { HttpRequest } from '../protocol/http-message.ts'
import type { Inputs } from './inputs.ts'

/** Far above any legal body, in bytes. */
const MAX_JSON_BYTES = 64 * 1024

/** @returns the decoded body; undefined, and a fault noted, when there is none. */
export async function readJson(request: HttpRequest, inputs: Inputs): Promise<unknown> {
  const tooLarge = () => inputs.fault('body', 'body', `has more than ${MAX_JSON_BYTES} bytes`)
  if ((request.size ?? 0) > MAX_JSON_BYTES) return tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body()) {
    size += chunk.byteLength
    if (size > MAX_JSON_BYTES) return tooLarge()
    chunks.push(chunk)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
  } catch {
    return inputs.fault(
      'body',
      'body',
      size === 0 ? 'is missing: a JSON object is expected' : 'is no JSON in UTF-8',
    )
  }
}
