/** `bucket completion`, as the shells themselves run it. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bucket } from './command-line.ts'

const run = promisify(execFile)

let folder: string
const script = (shell: string) => join(folder, `bucket.${shell}`)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-completion-'))
  for (const shell of ['bash', 'zsh', 'fish', 'pwsh'])
    await writeFile(script(shell), (await bucket(['completion', shell])).stdout)
})
afterAll(async () => await rm(folder, { recursive: true }))

/** The offers of bash after a Tab at the end of these words. */
async function offered(...words: readonly string[]): Promise<string[]> {
  const act = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bucket; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await run('bash', ['-c', act, 'bash', script('bash'), ...words])
  return stdout.split('\n').filter(Boolean)
}

const isInstalled = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('bucket completion bash', () => {
  it('completes commands', async () => {
    expect(await offered('bucket', 'pu')).toEqual(['put', 'push', 'pull'])
    expect(await offered('bucket', 'comp')).toEqual(['completion'])
  })

  it('completes the options of the command', async () => {
    expect(await offered('bucket', 'put', 'b/a/v', '--up')).toEqual(['--uploaded-by'])
    expect(await offered('bucket', 'get', '--lo')).toEqual(['--locked'])
  })

  it('leaves files to bash, and evaluates nothing that was typed', async () => {
    expect(await offered('bucket', 'put', 'b/a/v', '$(touch "$HOME"/harm; false)')).toEqual([])
    const { stdout } = await run('bash', ['-c', 'source "$1"; complete -p bucket', 'bash', script('bash')])
    expect(stdout.trim()).toBe('complete -o default -F _bucket bucket')
  })
})

describe('bucket completion', () => {
  it.skipIf(!isInstalled('zsh'))('prints a script that zsh reads', async () => {
    await run('zsh', ['-n', script('zsh')])
  })

  it.skipIf(!isInstalled('fish'))('completes in fish', async () => {
    const { stdout } = await run('fish', ['-c', `source ${script('fish')}; complete -C 'bucket pu'`])
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual(
      expect.arrayContaining(['put', 'push', 'pull']),
    )
  })

  it('is refused for another shell', async () => {
    const ran = await bucket(['completion', 'tcsh'])
    expect(ran.exit).toBe(2)
    expect(ran.stderr).toMatch(/bash, zsh, fish, pwsh/)
  })
})
