/** The Lambda bundles as they are deployed: their size, and the time that a fresh process takes to load one. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { LAMBDA_ENVIRONMENT } from '../../lib/deployment/environment.ts'
import { BUNDLE, handlerEntry } from '../../lib/infra/bundling.ts'

const RUNS = 15
const LOAD = 'const t = performance.now(); require(process.argv[1]); console.log(performance.now() - t)'

export async function coldStarts(): Promise<void> {
  console.log('\n| bundle | KB | loaded in ms (median) | least | most |\n|---|---|---|---|---|')
  const folder = mkdtempSync(join(tmpdir(), 'bucket-bundles-'))
  const environment = Object.fromEntries(Object.values(LAMBDA_ENVIRONMENT).map((name) => [name, '1']))
  for (const access of ['read', 'write', 'verify'] as const) {
    const outfile = join(folder, `${access}.cjs`)
    await build({ ...BUNDLE, entryPoints: [handlerEntry(access)], outfile, logLevel: 'error' })
    const times = Array.from({ length: RUNS }, () =>
      Number(
        execFileSync(process.execPath, ['-e', LOAD, outfile], {
          env: {
            ...environment,
            [LAMBDA_ENVIRONMENT.corsOrigins]: '',
            AWS_REGION: 'us-east-1',
            AWS_ACCESS_KEY_ID: 'x',
            AWS_SECRET_ACCESS_KEY: 'x',
          },
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      ),
    ).sort((a, b) => a - b)
    const ms = (at: number) => (times[at] ?? Number.NaN).toFixed(0)
    console.log(
      `| ${access} | ${(statSync(outfile).size / 1000).toFixed(0)} | ${ms(RUNS >> 1)} | ${ms(0)} | ${ms(RUNS - 1)} |`,
    )
  }
  rmSync(folder, { recursive: true })
}
