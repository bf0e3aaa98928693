/** A program in a folder of its own that has installed packed packages, and no other packages than those it names. */
import { execFile, execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type Resolution = 'nodenext' | 'node16' | 'bundler'

export interface Consumer {
  readonly folder: string
  /** The names of the packages in `node_modules`. */
  readonly installed: readonly string[]
  /** Runs `node` in the folder. Rejects when it fails. */
  node(...args: string[]): Promise<{ stdout: string; stderr: string }>
  /** Type-checks a strict program; resolves with the compiler's messages. */
  typecheck(resolution: Resolution, files: readonly string[], options: readonly string[]): Promise<string>
  remove(): void
}

interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
}

/**
 * @param archives the packed packages. The dependencies that their manifests declare are linked from this checkout, so an import
 * of any other package fails, as it does after a real installation.
 * @param packages what the program itself installs.
 * @param files the program, by path.
 */
export function createConsumer(
  archives: readonly string[],
  packages: readonly string[],
  files: Readonly<Record<string, string>>,
): Consumer {
  const folder = mkdtempSync(join(tmpdir(), 'bucket-consumer-'))
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  const linked = new Set(packages)
  for (const archive of archives) {
    execFileSync('tar', ['-xzf', archive, '-C', folder])
    const unpacked = join(folder, 'package')
    const manifest: Manifest = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'))
    renameSync(unpacked, join(modules, manifest.name))
    for (const name of Object.keys(manifest.dependencies ?? {})) linked.add(name)
  }
  for (const name of linked) {
    const path = join(modules, name)
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(resolve('node_modules', name), path)
  }
  // The CDK runs it by this path.
  if (linked.has('esbuild')) symlinkSync('../esbuild/bin/esbuild', join(modules, '.bin', 'esbuild'))
  const program = { 'package.json': '{ "private": true }', 'package-lock.json': '{}', ...files }
  for (const [path, text] of Object.entries(program)) writeFileSync(join(folder, path), text)

  return {
    folder,
    installed: readdirSync(modules).filter((name) => name !== '.bin'),
    node: async (...args) => await run(process.execPath, args, { cwd: folder }),
    async typecheck(resolution, paths, options) {
      const module = resolution === 'bundler' ? 'esnext' : resolution
      const args = [
        resolve('node_modules/typescript/bin/tsc'),
        ...['--strict', '--noUncheckedIndexedAccess', '--target', 'es2022', '--types', 'node', '--noEmit'],
        ...['--module', module, '--moduleResolution', resolution, ...options, ...paths],
      ]
      const { stdout } = await run(process.execPath, args, { cwd: folder }).catch((failure) => failure)
      return stdout
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
