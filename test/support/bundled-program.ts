/** Bundles the TypeScript program of a test into one file, so that it starts without compiling each module that it imports. */
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

export interface BundledProgram {
  /** To be run by `node`. */
  readonly path: string
  /** A folder of its own. */
  readonly folder: string
  remove(): Promise<void>
}

/** An ES module knows its own address; a bundle of CommonJS has to be told. */
const ADDRESS = {
  define: { 'import.meta.url': 'moduleUrl' },
  banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href" },
}

/** @param source its imports are relative to the root of the repository, and `process.argv` begins at 2. */
export async function bundledProgram(source: string, format: 'esm' | 'cjs' = 'esm'): Promise<BundledProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'bucket-bundled-'))
  const path = join(folder, format === 'esm' ? 'program.mjs' : 'program.cjs')
  await build({
    stdin: { contents: source, resolveDir: resolve('.'), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format,
    packages: 'external',
    ...(format === 'cjs' && ADDRESS),
    outfile: path,
    logLevel: 'error',
  })
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
  return { path, folder, remove: () => rm(folder, { recursive: true }) }
}
