/** A JSON answer; not to be kept unless its headers say otherwise (docs/http-api.md, section 1). */
import type { HttpResponse } from '../protocol/http-message.ts'

export const json = (
  status: number,
  message: unknown,
  headers: Record<string, string> = {},
): HttpResponse => ({
  status,
  headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
  body: JSON.stringify(message),
})
