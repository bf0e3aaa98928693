/**
 * Builds the client's own package, `packages/client`, from the sources in `lib/client`. Its two bundles include all that they import,
 * so the package has no dependencies; the licences of what they include are written next to them.
 */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { notices } from './notices.mjs'
import { compile, compileCommonJsTypes } from './tsc.mjs'

process.chdir(resolve(import.meta.dirname, '..'))
const PACKAGE = 'packages/client'
const OUT = join(PACKAGE, 'dist')

/** Loaded only for `auth: { kind: 'iam' }` without credentials; an optional peer of the package. */
const EXTERNAL = ['@aws-sdk/credential-provider-node']

const bundle = (entry, out, platform) =>
  build({
    absWorkingDir: process.cwd(),
    entryPoints: [entry],
    outfile: join(OUT, out),
    bundle: true,
    platform,
    format: 'esm',
    target: platform === 'node' ? 'node20.19' : 'es2023',
    mainFields: ['module', 'main'],
    external: EXTERNAL,
    metafile: true,
    // Errors and objects print under the names of their classes.
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
  })

rmSync(OUT, { recursive: true, force: true })
mkdirSync(OUT, { recursive: true })
const built = await Promise.all([
  bundle('lib/client/node.ts', 'node.js', 'node'),
  bundle('lib/client/index.ts', 'browser.js', 'browser'),
])
writeFileSync(join(OUT, 'THIRD-PARTY-LICENSES.txt'), notices(built.map(({ metafile }) => metafile)))
compile('packages/client/tsconfig.json', join(OUT, 'types'))
compileCommonJsTypes('packages/client/tsconfig.json', join(OUT, 'commonjs'))
copyFileSync('LICENSE', join(PACKAGE, 'LICENSE'))
