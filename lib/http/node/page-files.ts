/** The built page as files of the Node server, with the policy that keeps every page to its own scripts, styles and server. */
import { extname } from 'node:path'
import type { StaticFile, StaticFiles } from './static-files.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
}

/** Paths that people type, in addition to those of the files. */
const ALIASES = { '/': '/index.html', '/docs': '/docs.html' } as const

/**
 * No inline script or style, nothing from another origin, no frame around the page, and no text that becomes a script or markup.
 * A browser combines it with the policy in the HTML file, which cannot forbid frames.
 *
 * @see https://www.w3.org/TR/CSP3/
 */
const pageHeaders = (stores: readonly string[]) => ({
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", ...stores].join(' '),
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types worker',
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Referrer-Policy': 'same-origin',
})

const NOT_BUILT = {
  type: TYPES['.txt'] as string,
  text: `The page of this server is not built. The API works: GET /v1 describes it.
To build the page, run \`npm run build\` in the checkout and restart the server.
`,
}

/**
 * The paths of the built page.
 *
 * @param built the text of each file that `npm run build` makes, by its name. Without any, as in a source checkout, `/` says so
 * in plain text.
 * @param stores the sources, as in a Content-Security-Policy, of the bytes that clients exchange with a store directly.
 */
export function pageFiles(built: ReadonlyMap<string, string>, stores: readonly string[] = []): StaticFiles {
  const headers = pageHeaders(stores)
  const files = new Map<string, StaticFile>()
  for (const [name, text] of built) {
    const type = TYPES[extname(name)]
    if (type !== undefined) files.set(`/${name}`, { text, type, headers })
  }
  for (const [alias, path] of Object.entries(ALIASES)) files.set(alias, files.get(path) ?? NOT_BUILT)
  return files
}
