/** The explanation of error codes as HTML, for a person who follows the `type` of a problem in a browser. */
import type { HttpRequest } from '../protocol/http-message.ts'
import type { Message } from '../protocol/messages.ts'

type Explanation = Message<'ProblemPage'>

export const acceptsHtml = (request: HttpRequest): boolean =>
  /\btext\/html\b/.test(request.headers.get('Accept') ?? '')

/** @param message the JSON that a program would get. */
export function problemPage(message: unknown): { html: string; headers: Record<string, string> } {
  const explanations =
    'problems' in (message as object)
      ? (message as Message<'ProblemPages'>).problems
      : [message as Explanation]
  const [only, ...others] = explanations
  const title = only && others.length === 0 ? escapeHtml(only.title) : 'Problems'
  return {
    html: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title} – Bucket</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}code{background:#8882;padding:.1em .3em}h2{margin-bottom:0}</style>
${explanations.map(section).join('\n')}</html>`,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
    },
  }
}

const section = ({ code, status, retryable, title, meaning, next }: Explanation): string =>
  `<h2 id="${code}">${escapeHtml(title)}</h2>
<p><code>${code}</code> · ${status} · ${retryable ? 'a retry can help' : 'a retry does not help'}</p>
<p>${escapeHtml(meaning)}</p><p><b>What to do:</b> ${escapeHtml(next)}</p>`

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
