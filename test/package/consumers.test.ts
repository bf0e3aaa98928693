/** Every program that the packages support can install them, import them and type-check against them. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Consumer, createConsumer } from './consumer.ts'

/** For a busy machine: the compiler reads the types of the whole CDK. */
const SLOW = { timeout: 180_000 }
const packed = inject('packed')
const run = promisify(execFile)
const NODE_TYPES = ['@types/node', 'undici-types']

/** Compiles only against the client for Node: with paths as sources, `download` and `TargetError`. */
const typedClient = (name: string) => `
import { BucketClient, isBucketError, TargetError } from '${name}'
const bucket = new BucketClient({ url: 'http://127.0.0.1:9470/v1', auth: { kind: 'bearer', token: 't' } })
export async function useClient(): Promise<number> {
  const { entry, created } = await bucket.put('b/a/v', './weights.bin', { contentType: 'text/plain' })
  const { size } = await bucket.download(entry.ref, './copy.bin', { digest: entry.digest })
  return created ? size : entry.size
}
export function explain(error: unknown): string {
  if (isBucketError(error, 'version_exists')) return error.code
  return error instanceof TargetError ? error.next : ''
}
// @ts-expect-error the types are not \`any\`
bucket.download(1)
`

describe('the client', SLOW, () => {
  const names = ['bucket-v1-client', 'bucket-v1/client']
  let consumer: Consumer
  beforeAll(() => {
    const show = 'console.log(new BucketClient().constructor.name, typeof BucketClient.prototype.download)'
    const files = names.flatMap((name, at) => [
      [`typed-${at}.mts`, typedClient(name)],
      [`typed-${at}.cts`, typedClient(name)],
      [`plain-${at}.mjs`, `import { BucketClient } from '${name}'\n${show}\n`],
      [`plain-${at}.cjs`, `const { BucketClient } = require('${name}')\n${show}\n`],
      [
        `both-${at}.cjs`,
        `const { BucketError } = require('${name}')
        import('${name}').then((module) => console.log(module.BucketError === BucketError))\n`,
      ],
    ])
    consumer = createConsumer([packed.client, packed.service], NODE_TYPES, Object.fromEntries(files))
  })
  afterAll(() => consumer?.remove())

  it.each([
    ['nodenext', ['typed-0.mts', 'typed-1.mts', 'typed-0.cts', 'typed-1.cts']],
    ['node16', ['typed-0.mts', 'typed-1.mts', 'typed-0.cts', 'typed-1.cts']],
    ['bundler', ['typed-0.mts', 'typed-1.mts']],
  ] as const)(
    'has the types for Node under %s, in strict ES and CommonJS modules',
    async (resolution, files) => {
      // Without skipLibCheck, so that our own declarations are checked, too.
      expect(await consumer.typecheck(resolution, files, ['--exactOptionalPropertyTypes'])).toBe('')
    },
  )

  describe.each(names.map((name, at) => ({ name, at })))('$name', ({ at }) => {
    it.each([`plain-${at}.mjs`, `plain-${at}.cjs`, `--conditions=source plain-${at}.mjs`])(
      'runs in Node without a warning: %s',
      async (args) => {
        expect(await consumer.node(...args.split(' '))).toEqual({
          stdout: 'BucketClient function\n',
          stderr: '',
        })
      },
    )

    it('gives import and require() the same classes, so that instanceof works across both', async () => {
      expect((await consumer.node(`both-${at}.cjs`)).stdout).toBe('true\n')
    })

    it('bundles for a browser without a module of Node', async () => {
      await build({
        entryPoints: [join(consumer.folder, `plain-${at}.mjs`)],
        bundle: true,
        format: 'esm',
        platform: 'browser',
        outfile: join(consumer.folder, 'bundle.mjs'),
        logLevel: 'silent',
      })
      expect((await consumer.node('bundle.mjs')).stdout).toMatch(/^BucketClient\d* undefined\n$/)
    })
  })
})

describe('bucket-v1-client', () => {
  it('is an archive of at most 200 KB that installs no other package', async () => {
    const consumer = createConsumer([packed.client], [], {})
    try {
      expect((await stat(packed.client)).size).toBeLessThan(200_000)
      expect(consumer.installed).toEqual(['bucket-v1-client'])
    } finally {
      consumer.remove()
    }
  })
})

const app = (load: string, context = '{}') => `
${load}
const app = new App({ outdir: 'cdk.out', context: ${context}, builtinCloudFormationValidation: false })
const service = new BucketService(new Stack(app, 'Consumer'), 'Artifacts', { access: 'iam' })
const { directory } = app.synth()
console.log(directory.endsWith('cdk.out'), service.api.restApi.restApiRootResourceId !== '')
`
const IMPORTS = `
import { App, Stack } from 'aws-cdk-lib'
import { BucketService } from 'bucket-v1/infra'`
const REQUIRES = `
const { App, Stack } = require('aws-cdk-lib')
const { BucketService } = require('bucket-v1/infra')`
const NOT_ANY = '// @ts-expect-error the types are not `any`\nservice.nothing\n'

describe('bucket-v1', () => {
  it('gives its consumer the command `bucket`, and a checkout a link that npx runs at once', async () => {
    const { version, directories, ...manifest } = JSON.parse(readFileSync('package.json', 'utf8'))
    const consumer = createConsumer([packed.service], [], {})
    const commands = join(consumer.folder, 'node_modules', 'bucket-v1', directories.bin)
    try {
      expect(readdirSync(commands)).toEqual(['bucket'])
      expect(await run(join(commands, 'bucket'), ['--version'])).toMatchObject({ stdout: `${version}\n` })
    } finally {
      consumer.remove()
    }
    // With either of them npx installs the checkout into its cache and builds it, before it runs the command.
    expect({ bin: manifest.bin, folder: existsSync(directories.bin) }).toEqual({
      bin: undefined,
      folder: false,
    })
    expect(realpathSync('node_modules/.bin/bucket')).toBe(realpathSync('dist/bin/bucket.js'))
  })

  it('contains only modules that its entry points load', async () => {
    const consumer = createConsumer([packed.service], [], {})
    const root = join(consumer.folder, 'node_modules', 'bucket-v1', 'dist')
    try {
      const modules = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
        path.endsWith('.js'),
      )
      const entries = modules.filter((path) =>
        /^(bin\/bucket|lib\/client\/(index|node)|lib\/infra\/index|lambda\/\w+|page\/(page|docs|worker))\.js$/.test(
          path,
        ),
      )
      const { metafile } = await build({
        absWorkingDir: root,
        entryPoints: entries,
        outdir: 'unwritten',
        bundle: true,
        write: false,
        metafile: true,
        packages: 'external',
        platform: 'node',
        format: 'esm',
        logLevel: 'silent',
      })
      // A module of types alone compiles to a file that says only that it is a module.
      const isOfTypes = (path: string) => readFileSync(join(root, path), 'utf8').trim().endsWith('export {};')
      const loaded = new Set(Object.keys(metafile.inputs))
      expect(modules.filter((path) => !loaded.has(path) && !isOfTypes(path))).toEqual([])
    } finally {
      consumer.remove()
    }
  })
})

describe('a CDK app that uses bucket-v1/infra', SLOW, () => {
  let consumer: Consumer
  beforeAll(() => {
    consumer = createConsumer([packed.service], ['aws-cdk-lib', 'constructs', 'esbuild', ...NODE_TYPES], {
      'typed.mts': `${app(IMPORTS)}${NOT_ANY}`,
      'typed.cts': `${app(IMPORTS)}${NOT_ANY}`,
      'app.mjs': app(IMPORTS),
      // Both apps bundle the same functions, so one of them leaves the bundling out.
      'app.cjs': app(REQUIRES, "{ 'aws:cdk:bundling-stacks': [] }"),
    })
  })
  afterAll(() => consumer?.remove())

  it.each(['app.mjs', 'app.cjs'])('synthesizes: %s', async (file) => {
    expect((await consumer.node(file)).stdout).toBe('true true\n')
  })

  it.each([
    ['nodenext', ['typed.mts', 'typed.cts']],
    ['node16', ['typed.mts', 'typed.cts']],
    ['bundler', ['typed.mts']],
  ] as const)('type-checks under %s', async (resolution, files) => {
    // The CDK's own declarations have errors under exactOptionalPropertyTypes.
    expect(await consumer.typecheck(resolution, files, ['--skipLibCheck'])).toBe('')
  })
})
