/** The script of docs/client.md type-checks against the client: its names and types are those that a program finds. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'

const PAGE = 'docs/client.md'
/** For a hang: the compiler checks the whole client, on a machine that may be busy. */
const CHECK_MS = 180_000

const run = promisify(execFile)

/** The blocks of the page as one module. All other lines are empty, so an error has the line number of the page. */
function scriptOf(page: string): string {
  let inBlock = false
  return page
    .split('\n')
    .map((line) => {
      if (line.startsWith('```')) {
        inBlock = line === '```ts'
        return ''
      }
      return inBlock ? line : ''
    })
    .join('\n')
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-client-page-'))
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

it(`every block of ${PAGE} has the types of the client`, { timeout: CHECK_MS }, async () => {
  const script = scriptOf(await readFile(PAGE, 'utf8'))
  expect(script).toContain("from 'bucket-v1/client'")
  const project = {
    extends: resolve('tsconfig.json'),
    compilerOptions: {
      paths: { 'bucket-v1/client': [resolve('lib/client/node.ts')] },
      typeRoots: [resolve('node_modules/@types')],
    },
    files: ['client.md.mts'],
    include: [],
  }
  await writeFile(join(folder, 'client.md.mts'), script)
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(project))
  const compiler = resolve('node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [compiler, '-p', folder], { cwd: folder }).catch(
    (failure: { stdout: string }) => failure,
  )
  expect(stdout).toBe('')
})
