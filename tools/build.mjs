/**
 * `npm run build`: compiles the libraries and bundles the command line and the page into `dist/`. The new folder replaces the old one
 * as a whole, so that no file of an earlier build stays in it.
 */
import { chmodSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { buildCommand } from './build-command.mjs'
import { buildPage } from './build-page.mjs'
import { linkCommand } from './link-command.mjs'
import { compile, compileCommonJsTypes } from './tsc.mjs'

const root = resolve(import.meta.dirname, '..')
process.chdir(root)
const work = mkdtempSync('.build-')
const built = join(work, 'dist')
try {
  compile('tsconfig.build.json', built)
  compileCommonJsTypes('tsconfig.commonjs.json', join(built, 'commonjs'))
  await buildCommand(join(built, 'bin'))
  await buildPage(join(built, 'page'))
  // npm sets this bit only when it installs; npx runs the file directly.
  chmodSync(join(built, 'bin', 'bucket.js'), 0o755)
  rmSync('dist', { recursive: true, force: true })
  renameSync(built, 'dist')
  linkCommand(root)
} finally {
  rmSync(work, { recursive: true, force: true })
}
