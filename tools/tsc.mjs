import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const COMPILER = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))

/** Compiles `project`, the path of a tsconfig file, into the folder `out`. */
export const compile = (project, out) =>
  execFileSync(process.execPath, [COMPILER, '-p', project, '--outDir', out], { stdio: 'inherit' })

/**
 * Compiles `project` into declarations for `require()`: TypeScript reads a `.d.ts` as CommonJS when the nearest package.json says so.
 * At run time Node loads the same ES modules for `import` and `require()`, so both see one set of classes.
 */
export function compileCommonJsTypes(project, out) {
  compile(project, out)
  writeFileSync(join(out, 'package.json'), '{ "type": "commonjs" }\n')
}
