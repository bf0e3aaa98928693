/** `bucket probe` prints each need with its result, and its exit status says whether all are met. */
import { describe, expect, test } from 'vitest'
import { bucket } from './command-line.ts'

const NAMES = [
  ...['probe', '--blob-bucket', 'blobs', '--staging-bucket', 'staging'],
  ...['--ledger-table', 'ledger', '--uploads-table', 'uploads'],
]
const met = { need: 'S3 refuses a second create-only PUT', problem: null }
const unmet = { need: 'S3 lists the SHA-256 of parts', problem: 'ListParts does not return it' }

describe('bucket probe', () => {
  test('exits 0 if every requirement is met', async () => {
    const { exit, stdout } = await bucket(NAMES, { probeStores: async () => [met] })
    expect([exit, stdout]).toEqual([0, `ok      ${met.need}\n`])
  })

  test('exits 7 and names each unmet requirement', async () => {
    const { exit, stdout } = await bucket(NAMES, { probeStores: async () => [met, unmet] })
    expect(exit).toBe(7)
    expect(stdout).toContain('FAILED  S3 lists the SHA-256 of parts: ListParts does not return it')
  })

  test('prints one JSON document on request', async () => {
    const { stdout } = await bucket([...NAMES, '--json'], { probeStores: async () => [met, unmet] })
    expect(JSON.parse(stdout)).toEqual({ results: [met, unmet] })
  })

  test('needs the names of the stores', async () => {
    expect((await bucket(['probe'], {})).exit).toBe(2)
  })

  test.each(['localhost:9000', 'ftp://x'])('refuses the public endpoint %s', async (url) => {
    const { exit, stderr } = await bucket([...NAMES, '--s3-public-endpoint', url], {})
    expect([exit, stderr]).toEqual([2, expect.stringContaining('--s3-public-endpoint')])
  })
})
