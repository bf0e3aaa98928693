/**
 * Builds the client's own package, `packages/client`, from the sources in `lib/client`. Its two bundles include all that they import,
 * so the package has no dependencies; the licences of what they include are written next to them.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
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

/** The licence texts of the packages that the bundles include. */
function notices(metafiles) {
  const inputs = metafiles.flatMap(({ inputs }) => Object.keys(inputs))
  const names = new Set(inputs.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []))
  return [...names].sort().map((name) => {
    const folder = join('node_modules', name)
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    if (file === undefined) throw new Error(`${name} is bundled and has no licence file`)
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
  })
}

rmSync(OUT, { recursive: true, force: true })
mkdirSync(OUT, { recursive: true })
const built = await Promise.all([
  bundle('lib/client/node.ts', 'node.js', 'node'),
  bundle('lib/client/index.ts', 'browser.js', 'browser'),
])
const divider = `\n${'-'.repeat(80)}\n\n`
writeFileSync(
  join(OUT, 'THIRD-PARTY-LICENSES.txt'),
  notices(built.map(({ metafile }) => metafile)).join(divider),
)
compile('packages/client/tsconfig.json', join(OUT, 'types'))
compileCommonJsTypes('packages/client/tsconfig.json', join(OUT, 'commonjs'))
copyFileSync('LICENSE', join(PACKAGE, 'LICENSE'))
