/** Reads the built page for `bucket serve`. */
import { readdirSync, readFileSync } from 'node:fs'
import { errorCode } from '../lib/flow/error-code.ts'

/** The build puts the page next to `bin/` in the package, and into `dist/` in a checkout. */
const FOLDER = new URL(import.meta.url.endsWith('.ts') ? '../dist/page/' : '../page/', import.meta.url)

/** @returns the text of each file by its name; empty if the page is not built, as in a source checkout. */
export function readPage(folder = FOLDER): ReadonlyMap<string, string> {
  const files = namesIn(folder).map((name) => [name, readFileSync(new URL(name, folder), 'utf8')] as const)
  return new Map(files)
}

function namesIn(folder: URL): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}
