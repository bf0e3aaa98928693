/**
 * Builds the page of the server (lib/page) into a folder of static files: scripts, one stylesheet, and the HTML files as they are.
 * Nothing is inline, so that a strict Content-Security-Policy can hold.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, transform } from 'esbuild'
import { notices } from './notices.mjs'

const SOURCE = 'lib/page'
const COPIED = ['index.html', 'docs.html', 'config.json']

/** @param out the folder to make. */
export async function buildPage(out) {
  const { STYLE, symbolSvg, openApiDocument } = await loadTexts()
  mkdirSync(out, { recursive: true })
  const { metafile } = await build({
    absWorkingDir: process.cwd(),
    entryPoints: {
      page: `${SOURCE}/main.tsx`,
      docs: `${SOURCE}/docs-main.tsx`,
      worker: `${SOURCE}/transfer-worker.ts`,
    },
    outdir: out,
    chunkNames: '[name]-[hash]',
    bundle: true,
    // The page and its worker share the client; SigV4 is loaded only where it is used.
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  const css = STYLE + readFileSync(join(SOURCE, 'page.css'), 'utf8')
  writeFileSync(join(out, 'page.css'), (await transform(css, { loader: 'css', minify: true })).code)
  writeFileSync(join(out, 'openapi.json'), JSON.stringify(openApiDocument()))
  writeFileSync(join(out, 'icon.svg'), symbolSvg('stroke="#2f9e73"'))
  for (const name of COPIED) copyFileSync(join(SOURCE, name), join(out, name))
  writeFileSync(join(out, 'THIRD-PARTY-LICENSES.txt'), notices([metafile]))
}

/** The parts of the page that the server has, too. */
async function loadTexts() {
  const contents = `
    export { STYLE } from './lib/look/style.ts'
    export { symbolSvg } from './lib/look/symbol.ts'
    export { openApiDocument } from './lib/http/openapi.ts'`
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
}
