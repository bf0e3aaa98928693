/** Builds and packs both packages once, so that the tests of this project run what a user gets, and never an older build. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The paths of the archives. */
    packed: { readonly service: string; readonly client: string }
  }
}

export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'bucket-packed-'))
  const pack = (path: string): string => {
    const args = ['pack', path, '--json', '--ignore-scripts', '--pack-destination', folder]
    const [{ filename }] = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' }))
    return join(folder, filename)
  }
  const tool = (name: string, ...args: string[]) =>
    execFileSync(process.execPath, [`tools/${name}.mjs`, ...args])
  // As the scripts `prepare`, `prepack` and `postpack` of the two packages do.
  tool('build')
  tool('build-client')
  tool('archived-command', 'write')
  project.provide('packed', { service: pack('.'), client: pack('./packages/client') })
  tool('archived-command', 'remove')
  return () => rmSync(folder, { recursive: true, force: true })
}
