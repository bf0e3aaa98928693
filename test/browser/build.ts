/** Builds the page once, so that the tests see the sources of now and never an older build. */
import { mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
// @ts-expect-error a script without types
import { buildPage } from '../../tools/build-page.mjs'
import { BUNDLE } from '../support/program.ts'
import { chromiumPath } from './chromium.ts'

export async function setup(): Promise<void> {
  if (chromiumPath === undefined) {
    console.warn('No chromium, chromium-browser or google-chrome in PATH: the browser tests are skipped.')
    return
  }
  const work = mkdtempSync('.build-')
  await buildPage(join(work, 'page'))
  // The rest of dist may be in use.
  rmSync('dist/page', { recursive: true, force: true })
  renameSync(join(work, 'page'), 'dist/page')
  rmSync(work, { recursive: true })
  // The bundled program finds the page as that of the package does.
  const program = process.env[BUNDLE]
  if (program !== undefined) symlinkSync(resolve('dist/page'), join(program, '..', '..', 'page'))
}
