import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { notices } from './notices.mjs'

/** Small packages that are bundled, so that a command opens few files. The others have native parts, or are loaded by few commands. */
const BUNDLED = ['@noble/hashes', 'aws4fetch', 'commander', 'structured-headers', 'valibot']

/**
 * Bundles the command line into the folder `out`: `bucket.js`, and a chunk for each group of modules that some commands need. Files
 * that Node must find, read and link are most of what a short command costs.
 */
export async function buildCommand(out) {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  const external = Object.keys(dependencies).filter((name) => !BUNDLED.includes(name))
  const { metafile } = await build({
    absWorkingDir: process.cwd(),
    entryPoints: ['bin/bucket.ts'],
    outdir: out,
    // Next to `bucket.js`, so that paths relative to a module stay right.
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    mainFields: ['module', 'main'],
    external: external.flatMap((name) => [name, `${name}/*`]),
    // Commander is CommonJS, and requires modules of Node.
    banner: {
      js: "import { createRequire as bucketRequire } from 'node:module'; const require = bucketRequire(import.meta.url);",
    },
    // Names stay, so that stack traces can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
  writeFileSync(join(out, 'THIRD-PARTY-LICENSES.txt'), notices([metafile]))
}
