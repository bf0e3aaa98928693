/** `npm ci` works on every supported platform, and verifies every package that it downloads. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

interface Locked {
  readonly integrity?: string
  readonly inBundle?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const lock: { packages: Record<string, Locked> } = JSON.parse(await readFile('package-lock.json', 'utf8'))
const { '': root, ...packages } = lock.packages

describe('package-lock.json', () => {
  // `npm ci` fails on every machine when the package of one platform is missing.
  it('lists every optional package of every platform', () => {
    const wanted = Object.values({ root, ...packages }).flatMap((entry) =>
      Object.keys(entry?.optionalDependencies ?? {}),
    )
    const paths = Object.keys(packages)
    expect(wanted.filter((name) => !paths.some((path) => path.endsWith(`node_modules/${name}`)))).toEqual([])
  })

  // npm leaves the hash out for packages of other platforms when it writes the file from an existing node_modules.
  it('has the hash of every package, except for those inside the archive of another', () => {
    const unhashed = Object.entries(packages).filter(([, entry]) => !entry.inBundle && !entry.integrity)
    expect(unhashed.map(([path]) => path)).toEqual([])
  })
})
