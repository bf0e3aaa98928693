/**
 * Code generators can work with the OpenAPI document: a client that openapi-python-client generates stores and fetches bytes.
 * The generator is installed once for each set of pins, into the same cache as the emulators.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPython, Missing } from '../integration/find-python.ts'
import { installed, keyOf } from '../integration/install-cache.ts'
import { type ServedFolder, serveFolder } from '../support/served-folder.ts'

const HERE = 'test/package/generated-client'
const REQUIREMENTS = join(HERE, 'requirements.txt')
/** pip downloads about 15 MB. */
const INSTALL_MS = 300_000
const run = promisify(execFile)

/** @returns the folder of a virtual environment with the generator in it. */
async function installGenerator(): Promise<string> {
  const python = await findPython(10)
  return await installed(`openapi-python-client.${await keyOf([REQUIREMENTS], python)}`, async (folder) => {
    await run(python, ['-m', 'venv', folder])
    await run(join(folder, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS])
  })
}

describe('a client that openapi-python-client generates', () => {
  let folder: string
  let server: ServedFolder
  let generator: string | Missing

  beforeAll(async () => {
    generator = await installGenerator().catch((error: unknown) => {
      if (error instanceof Missing) return error
      throw error
    })
    folder = await mkdtemp(join(tmpdir(), 'bucket-generated-'))
    server = await serveFolder(join(folder, 'data'))
  }, INSTALL_MS)

  afterAll(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('is generated without a warning, stores bytes, and fetches them unchanged', async (context) => {
    if (generator instanceof Missing) return context.skip(generator.message)
    const document = join(folder, 'openapi.json')
    const response = await fetch(`${server.url}/openapi.json`)
    await writeFile(document, await response.text())
    const output = join(folder, 'generated')
    const options = ['generate', '--path', document, '--output-path', output, '--meta', 'none']
    const config = join(folder, 'config.yaml')
    await writeFile(config, 'post_hooks: []\n')
    const generated = await run(join(generator, 'bin', 'openapi-python-client'), [
      ...options,
      '--fail-on-warning',
      '--config',
      config,
    ])
    expect(generated.stdout).not.toContain('Warning')

    const { stdout } = await run(
      join(generator, 'bin', 'python'),
      [join(HERE, 'use_client.py'), new URL(server.url).origin],
      { env: { ...process.env, PYTHONPATH: folder } },
    )
    expect(JSON.parse(stdout)).toEqual({
      digest: expect.stringMatching(/^sha256:/),
      uploaded_by: 'generator',
      bytes_equal: true,
    })
  })
})
