/** The smoke test of a real account, on the deployment of an emulator: it runs without a failure, and it can fail. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { given } from './given.ts'

function smoke(url: string, bucketId: string): Promise<{ exit: number; lines: string[] }> {
  const run = ['--import', 'tsx', 'test/smoke/run.ts']
  const args = [...run, '--url', url, '--auth', 'none', '--bucket-id', bucketId, '--stack', 'Bucket']
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 120_000 }, (error, stdout) =>
      resolve({ exit: Number(error?.code ?? 0), lines: stdout.trimEnd().split('\n') }),
    )
  })
}

describe('npm run smoke', { timeout: 250_000 }, () => {
  it('passes on a deployment, and the second run finds what the first one stored', async () => {
    const bucketId = `smoke-${randomUUID()}`
    for (const kept of ['skipped ', 'passed  ']) {
      const { exit, lines } = await smoke(given().deployment.apiRoot, bucketId)
      expect(lines.filter((line) => line.startsWith('FAILED'))).toEqual([])
      expect(lines.at(-1)).toMatch(/^\d+ passed, 0 failed, \d+ skipped$/)
      expect(lines.find((line) => line.includes('earlier runs'))).toContain(kept)
      expect(exit).toBe(0)
    }
  })

  it('fails for a server that is not Bucket, and says where to look', async () => {
    const server = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const { exit, lines } = await smoke(`http://127.0.0.1:${port}/v1`, 'smoke')
    server.close()
    expect(lines.join('\n')).toContain('look at:')
    expect([exit, lines.at(-1)]).toEqual([1, '0 passed, 1 failed, 0 skipped'])
  })
})
