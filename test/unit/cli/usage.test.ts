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

  it('says what was meant by a mistyped command or option', async () => {
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

  it('shows its help, and exits 2, without a command', async () => {
    const ran = await bucket([])
    expect(ran).toMatchObject({ exit: 2, stdout: '' })
    expect(ran.stderr).toContain('Usage: bucket')
  })

  it('takes the address from the environment, and an option before it', async () => {
    const front = await startFront()
    front.put('b/a/v', Buffer.from('x'))
    expect((await bucket(['show', 'b/a/v'], { environment: { BUCKET_URL: front.url } })).exit).toBe(0)
    const url = ['--url', front.url]
    const environment = { BUCKET_URL: 'nonsense' }
    expect((await bucket(['show', 'b/a/v', ...url], { environment })).exit).toBe(0)
    expect((await bucket(['show', 'b/a/v'], { environment })).exit).toBe(2)
    await front.close()
  })

  it('takes secrets from the environment alone, and says which one is missing', async () => {
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
