import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { type ClientFront, IMPATIENT, startFront } from '../../support/client-front.ts'
import { sha256 } from '../../support/random-bytes.ts'
import { bucket as cli } from '../cli/command-line.ts'

let front: ClientFront
let bucket: BucketClient
const bytes = Buffer.from('hello')
const other = sha256(Buffer.from('other'))
beforeEach(async () => {
  front = await startFront()
  front.put('b/a/v', bytes)
  bucket = new BucketClient({ url: front.url, ...IMPATIENT })
})
afterEach(async () => await front.close())

describe('check', () => {
  it('says for each of many refs whether it is absent, stored, identical or different, in their order', async () => {
    const refs = [
      'b/a/v',
      { ref: 'b/a/v', digest: sha256(bytes) },
      { ref: { bucketId: 'b', artifactId: 'a', version: 'v' }, digest: other },
      ...Array.from({ length: 50 }, (_, at) => `b/a/none-${at}`),
    ]
    const states = (await bucket.check(refs)).map(({ state }) => state)
    expect(states.slice(0, 3)).toEqual(['stored', 'identical', 'different'])
    expect(new Set(states.slice(3))).toEqual(new Set(['absent']))
  })

  it('does not report a ref as absent if the server fails', async () => {
    front.misbehave = (_, response) => {
      response.writeHead(500).end()
      return true
    }
    await expect(bucket.check(['b/a/v'])).rejects.toThrow()
  })
})

describe('ensure', () => {
  it('is created, then identical, and throws if other bytes are stored', async () => {
    expect(await bucket.ensure('b/a/new', bytes)).toBe('created')
    expect(await bucket.ensure('b/a/new', bytes)).toBe('identical')
    await expect(bucket.ensure('b/a/new', Buffer.from('x'))).rejects.toMatchObject({ code: 'version_exists' })
  })

  it('does not read the source of a version that is stored with the digest', async () => {
    const absent = '/absent/file'
    expect(await bucket.ensure('b/a/v', absent, { digest: sha256(bytes) })).toBe('identical')
    await expect(bucket.ensure('b/a/v', absent, { digest: other })).rejects.toMatchObject({
      code: 'version_exists',
    })
  })
})

describe('bucket check', () => {
  const on = (...args: string[]) => cli(['check', ...args], { url: front.url })

  it('exits with 0, 3 or 4, and prints a line for each ref', async () => {
    expect(await on('b/a/v', `b/a/v@${sha256(bytes)}`)).toMatchObject({
      exit: 0,
      stdout: `stored     b/a/v@${sha256(bytes)}\nidentical  b/a/v@${sha256(bytes)}\n`,
    })
    expect(await on('b/a/v', 'b/a/none')).toMatchObject({ exit: 3, stderr: '' })
    expect((await on('b/a/none', `b/a/v@${other}`)).exit).toBe(4)
    expect(JSON.parse((await on('b/a/none', '--json')).stdout)).toEqual({
      results: [{ ref: 'b/a/none', state: 'absent' }],
    })
  })

  it('reads refs from stdin', async () => {
    const ran = await cli(['check', '-'], { url: front.url, stdin: Buffer.from('b/a/v\nb/a/none\n') })
    expect(ran.stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(['stored', 'absent', ''])
  })
})
