import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { startFront } from '../../support/client-front.ts'
import { bucket } from './command-line.ts'

const COMMANDS = ['serve', 'put', 'get', 'show', 'list', 'digest']

describe('the command line', () => {
  it.each(COMMANDS)('shows examples in the help of %s', async (command) => {
    const ran = await bucket([command, '--help'])
    expect(ran).toMatchObject({ exit: 0, stderr: '' })
    expect(ran.stdout).toMatch(new RegExp(`Examples:\\n +bucket ${command}\\b`))
    expect(ran.stdout).toContain('--json')
  })

  it('lists every command and the exit codes in its own help', async () => {
    const { stdout } = await bucket(['--help'])
    for (const command of COMMANDS) expect(stdout).toContain(`  ${command} `)
    expect(stdout).toContain('5 digest mismatch')
    expect((await bucket(['--version'])).stdout).toBe('1.2.3\n')
  })

  it('suggests the right name for a mistyped command or option', async () => {
    const command = await bucket(['gte', 'b/a/v'])
    expect(command.exit).toBe(2)
    expect(command.stderr).toContain('Did you mean get?')
    const helped = await bucket(['lisst', '--help'])
    expect([helped.exit, helped.stdout]).toEqual([2, ''])
    expect(helped.stderr).toContain('Did you mean list?')
    const option = await bucket(['get', 'b/a/v', '--ouput', 'x'])
    expect(option.exit).toBe(2)
    expect(option.stderr).toContain('Did you mean --output? See `bucket get --help`.')
  })

  it('states the expected form of invalid input', async () => {
    for (const args of [['putt'], ['help', 'putt'], ['putt', '--help']]) {
      const unknown = await bucket(args)
      expect(unknown).toMatchObject({ exit: 2, stdout: '' })
      expect(unknown.stderr).toContain('error: Unknown command "putt"\n  why:  the commands are serve, ')
      expect(unknown.stderr).toContain('Did you mean put?')
    }
    const excess = await bucket(['show', 'b/a/v', 'more'])
    expect(excess.exit).toBe(2)
    expect(excess.stderr).toContain('Expected 1 argument but got 2; usage: bucket show [options] <ref>')
    expect((await bucket(['help', 'put'])).stdout).toContain('bucket put')
  })

  it.each(['ls', 'fsck', 'erase b/a/v', 'backup copy'])(
    'names a missing data folder, and its option: %s',
    async (command) => {
      const ran = await bucket([...command.split(' '), '--data-dir', '/absent/folder'])
      expect(ran).toMatchObject({ exit: 2, stdout: '' })
      expect(ran.stderr).toContain(
        'error: No data folder\n  why:  the folder "/absent/folder" does not exist',
      )
      expect(ran.stderr).toContain('--data-dir')
    },
  )

  it('says how to store a file that was passed as a folder', async () => {
    const front = await startFront()
    const ran = await bucket(['push', 'b/a/v', import.meta.filename], { url: front.url })
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toContain('usage.test.ts" is a file\n  next: Store it as a file: bucket put.')
    expect(front.received).toEqual([])
    await front.close()
  })

  it('names the variable that holds the region of iam', async () => {
    const ran = await bucket(['list', 'b/a', '--auth', 'iam'], { url: 'http://127.0.0.1:9/v1' })
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toContain('next: Set AWS_REGION')
  })

  it('shows its help, and exits 2, without a command', async () => {
    const ran = await bucket([])
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toContain('Usage: bucket')
  })

  it('takes the address from the option first, then from the environment', async () => {
    const front = await startFront()
    front.put('b/a/v', Buffer.from('x'))
    expect((await bucket(['show', 'b/a/v'], { environment: { BUCKET_URL: front.url } })).exit).toBe(0)
    const url = ['--url', front.url]
    const environment = { BUCKET_URL: 'nonsense' }
    expect((await bucket(['show', 'b/a/v', ...url], { environment })).exit).toBe(0)
    expect((await bucket(['show', 'b/a/v'], { environment })).exit).toBe(2)
    await front.close()
  })

  it('takes secrets from the environment only, and names a missing one', async () => {
    const front = await startFront()
    front.put('b/a/v', Buffer.from('x'))
    const bearer = { url: front.url, environment: { BUCKET_TOKEN: 'secret', BUCKET_AUTH: 'bearer' } }
    expect((await bucket(['show', 'b/a/v'], bearer)).exit).toBe(0)
    expect(front.received[0]?.headers.authorization).toBe('Bearer secret')
    const missing = await bucket(['show', 'b/a/v', '--auth', 'api-key'], { url: front.url })
    expect(missing).toMatchObject({ exit: 2 })
    expect(missing.stderr).toContain('BUCKET_API_KEY')
    expect((await bucket(['show', 'b/a/v', '--auth', 'basic'], { url: front.url })).exit).toBe(2)
    expect((await bucket(['show', 'b/a/v', '--auth', 'iam'], { url: front.url })).stderr).toContain(
      'AWS_REGION',
    )
    await front.close()
  })

  it('loads neither client nor server nor AWS before a command needs them', async () => {
    const { metafile } = await build({
      entryPoints: ['lib/cli/run.ts'],
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      write: false,
      outdir: 'unwritten',
      metafile: true,
    })
    const loaded = new Set<string>()
    const load = (output: string) => {
      const { inputs, imports } = metafile.outputs[output] ?? { inputs: {}, imports: [] }
      for (const input of Object.keys(inputs)) loaded.add(input)
      for (const { path, kind, external } of imports)
        if (kind === 'import-statement') external ? loaded.add(path) : load(path)
    }
    load('unwritten/run.js')
    expect([...loaded].filter((path) => /lib\/client|lib\/http|lib\/local|aws|zod|noble/.test(path))).toEqual(
      [],
    )
    expect(loaded).toContain('lib/cli/digest-command.ts')
  })
})

describe('a wrong command line', () => {
  const DIGEST = `sha256:${'0'.repeat(64)}`
  it.each([
    ['Unknown command "pit"', ['pit', 'a/b/c']],
    ['Unknown option --bogus', ['put', 'a/b/c', 'x', '--bogus']],
    ['Missing argument <folder>', ['push', 'a/b/c']],
    ['Missing value of --content-type', ['put', 'a/b/c', 'x', '--content-type']],
    ['Too many arguments', ['show', 'a/b/c', 'd']],
    ['Invalid value tcsh', ['completion', 'tcsh']],
    ['Invalid reference', ['show', 'a/b']],
    ['Invalid digest', ['get', 'a/b/c@sha256:12']],
    ['Two digests', ['put', `a/b/c@${DIGEST}`, 'x', '--digest', DIGEST]],
    ['One version holds one file', ['put', 'a/b/c', 'x', 'y']],
    ['Nothing to store', ['put', 'a/b/c', '-']],
    ['Nothing to check', ['check', '-']],
    ['Several artifacts need a folder', ['get', 'a/b/c', 'a/b/d', '-o', 'package.json']],
    ['--json does not go with -o -', ['get', 'a/b/c', '-o', '-', '--json']],
    ['Invalid address', ['show', 'a/b/c', '--url', 'localhost:9470']],
    ['Invalid duration', ['show', 'a/b/c', '--timeout', 'soon']],
    ['Unknown kind of authorization', ['show', 'a/b/c', '--auth', 'kerberos']],
    ['Missing secret', ['show', 'a/b/c', '--auth', 'bearer']],
    ['Missing region', ['show', 'a/b/c', '--auth', 'iam']],
    ['Invalid number of files at once', ['push', 'a/b/c', '.', '--parallel', '0']],
    ['Which upload?', ['uploads', 'a/b/c']],
    ['Invalid settings of the server', ['serve', '--port', 'x']],
    ['No such file or folder', ['put', 'a/b/c', 'missing']],
    ['This is a folder, not a file', ['put', 'a/b/c', '.']],
  ] as const)('has a title of its own, in the words of people: %s', async (title, args) => {
    const ran = await bucket(args)
    expect(ran.exit).toBe(2)
    expect(ran.stderr.split('\n', 1)).toEqual([`error: ${title}`])
    expect(ran.stderr).toMatch(/\n {2}why: {2}.+\n {2}next: .+\n$/)
    expect(ran.stderr).not.toMatch(/\b(ENOENT|EISDIR|HTTP|PUT|GET|header)\b/)
  })

  it('answers words of other tools with what Bucket has instead', async () => {
    for (const word of ['search', 'latest', 'delete', 'rm', 'login', 'sync', 'cp', 'tag'])
      expect((await bucket([word])).stderr).toMatch(/why: {2}Bucket [\s\S]*next: /)
    expect((await bucket(['ls', 'a/b'])).stderr).toContain('use `bucket list BUCKET_ID/ARTIFACT_ID`')
  })
})
