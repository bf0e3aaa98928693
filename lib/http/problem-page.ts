/** The explanation of error codes as HTML, for a person who follows the `type` of a problem in a browser. */
import { createHash } from 'node:crypto'
import { STYLE } from '../look/style.ts'
import { symbolSvg } from '../look/symbol.ts'
import type { HttpRequest } from '../protocol/http-message.ts'
import type { Message } from '../protocol/messages.ts'

type Explanation = Message<'ProblemPage'>

export const acceptsHtml = (request: Pick<HttpRequest, 'headers'>): boolean =>
  /\btext\/html\b/.test(request.headers.get('Accept') ?? '')

const styleHash = createHash('sha256').update(STYLE).digest('base64')

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  // The style is part of the page, because the deployed API serves no files. Its digest allows exactly this one.
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${styleHash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
}

const ICON = `data:image/svg+xml,${encodeURIComponent(symbolSvg('stroke="#2f9e73"'))}`

/** @param message the JSON that a program would get. */
export function problemPage(message: unknown): { html: string; headers: Record<string, string> } {
  if ('problems' in (message as object)) {
    const { problems } = message as Message<'ProblemPages'>
    const intro = `<h1>Problems</h1>
<p class="lead">Every refusal of this API has one of these ${problems.length} codes. Programs decide by the code; the texts are for people.</p>`
    return page('Problems', [intro, ...problems.map((problem) => card(problem, 'problems/'))])
  }
  const problem = message as Explanation
  return page(problem.title, [
    `<h1>${escapeHtml(problem.title)}</h1>`,
    card(problem),
    '<p><a href="../problems">All problems</a></p>',
  ])
}

const page = (title: string, sections: readonly string[]) => ({
  html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} – Bucket</title>
<link rel="icon" href="${ICON}">
<style>${STYLE}</style>
</head>
<body>
<header class="top"><div><span class="brand">${symbolSvg('stroke="currentColor" aria-hidden="true"')}Bucket</span></div></header>
<main class="main">
${sections.join('\n')}
</main>
</body>
</html>
`,
  headers: HEADERS,
})

/** @param base of the pages of single codes, where the card is one of several. */
function card({ code, status, retryable, title, meaning, next }: Explanation, base?: string): string {
  const heading =
    base === undefined ? '' : `<h2 id="${code}"><a href="${base}${code}">${escapeHtml(title)}</a></h2>\n`
  return `<section class="card">
${heading}<p class="tags"><code>${code}</code> <span class="tag">status ${status}</span> <span class="tag">${retryable ? 'a retry can help' : 'a retry does not help'}</span></p>
<p>${escapeHtml(meaning)}</p>
<p><strong>What to do next:</strong> ${escapeHtml(next)}</p>
</section>`
}

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
