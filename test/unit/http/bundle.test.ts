/** The function that serves fetches loads no schema library, which would delay its cold start (docs/decisions/013). */
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { BUNDLE, handlerEntry } from '../../../lib/infra/bundling.ts'

/** @returns the modules in the bundle of a function. */
async function modulesOf(side: 'read' | 'write'): Promise<string[]> {
  const { metafile } = await build({
    ...BUNDLE,
    entryPoints: [handlerEntry(side)],
    write: false,
    metafile: true,
  })
  return Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs))
}

const isSchemaLibrary = (module: string) => /\/(valibot|zod|typebox)\//.test(module)

describe('the bundle of the read function', () => {
  it('has the descriptors and the encoders, and no schema library', async () => {
    const modules = await modulesOf('read')
    expect(modules).toContain('lib/protocol/routes.ts')
    expect(modules).toContain('lib/protocol/encode.ts')
    expect(modules.filter(isSchemaLibrary)).toEqual([])
  })
})

describe('the bundle of the write function', () => {
  it('has the schema library, which this test would therefore notice', async () => {
    expect((await modulesOf('write')).filter(isSchemaLibrary)).not.toEqual([])
  })
})
