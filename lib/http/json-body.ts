/** The small JSON bodies of uploads: bounded, and UTF-8. */
import { err, ok, type Result } from '../domain/result.ts'
import { Pieces } from '../flow/pieces.ts'
import type { HttpRequest } from '../protocol/http-message.ts'
import type { InputError } from '../protocol/input-error.ts'

/** Far above any valid body, in bytes. */
const MAX_JSON_BYTES = 64 * 1024

/** The schema library skips these names, so they would be ignored instead of refused. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

const invalid = (detail: string) => err([{ in: 'body' as const, name: 'body', detail }])

/** @returns the parsed body, or why there is none. */
export async function readJson(request: HttpRequest): Promise<Result<unknown, readonly InputError[]>> {
  const tooLarge = invalid(`has more than ${MAX_JSON_BYTES} bytes`)
  if ((request.size ?? 0) > MAX_JSON_BYTES) return tooLarge
  const body = new Pieces()
  for await (const chunk of request.body()) {
    if (body.size + chunk.byteLength > MAX_JSON_BYTES) return tooLarge
    body.add(chunk)
  }
  if (body.size === 0) return invalid('is missing: a JSON object is expected')
  const reserved: InputError[] = []
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body.whole())
    const json: unknown = JSON.parse(text, (key, value: unknown) => {
      if (RESERVED.has(key)) reserved.push({ in: 'body', name: key, detail: 'is not a member of this body' })
      return value
    })
    return reserved.length > 0 ? err(reserved) : ok(json)
  } catch {
    return invalid('is not JSON in UTF-8')
  }
}
