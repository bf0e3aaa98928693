/** The deny-lists of biome.json are the import table of docs/architecture.md, as rules that a linter knows. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const table = readFileSync('docs/architecture.md', 'utf8').split('## The folders')[1]?.split('\n## ')[0] ?? ''
/** The folders that each folder may import, by the last column of its row. Prose means none, or all. */
const allowed = new Map(
  [...table.matchAll(/^\| `lib\/(\w+)\/` \|.*\| ([^|]+) \|$/gm)].map(([, folder = '', names = '']) => [
    folder,
    /^nothing/.test(names) ? [] : names.split(', '),
  ]),
)
const folders = readdirSync('lib')

interface Override {
  readonly includes: readonly string[]
  readonly linter?: {
    readonly rules?: {
      readonly style?: {
        readonly noRestrictedImports?: {
          readonly options: { readonly patterns: readonly { readonly group: readonly string[] }[] }
        }
      }
    }
  }
}
const { overrides }: { overrides: readonly Override[] } = JSON.parse(readFileSync('biome.json', 'utf8'))

/** The groups of imports that a folder may not have. */
const deniedTo = (folder: string): readonly (readonly string[])[] =>
  overrides
    .filter(({ includes }) => includes.includes(`lib/${folder}/**`))
    .flatMap(({ linter }) => linter?.rules?.style?.noRestrictedImports?.options.patterns ?? [])
    .map(({ group }) => group)

describe('the import table of docs/architecture.md', () => {
  it('has a row for each folder of lib', () => {
    expect([...allowed.keys()].sort()).toEqual([...folders].sort())
  })

  it.each(folders)('is what biome.json denies to lib/%s', (folder) => {
    const permitted = ['flow', folder, ...(allowed.get(folder) ?? [])]
    const denied = folders.filter((other) => !permitted.includes(other))
    // From a file of the folder, and from a file of a folder in it.
    const expected = denied.flatMap((other) => [`../${other}/**`, `../../${other}/**`])
    const [siblings = []] = deniedTo(folder)
    expect([...siblings].sort()).toEqual(expected.sort())
    expect(deniedTo(folder)).toContainEqual(['**/bin/**', '**/lambda/**', '**/test/**'])
  })

  it.each(['cli', 'mcp', 'page'])('lets lib/%s use the client by its public entry only', (folder) => {
    const entry = folder === 'page' ? '../client/index.ts' : '../client/node.ts'
    expect(deniedTo(folder)).toContainEqual(['../client/**', `!${entry}`])
  })
})
