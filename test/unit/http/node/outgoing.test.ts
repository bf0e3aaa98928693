/** A body whose store fails on the way: its receiver must know that bytes are missing. */
import { once } from 'node:events'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { startServer } from '../../../../lib/http/node/server.ts'

/** Fails once its first half has arrived. */
async function* failing(arrived: Promise<unknown>) {
  yield Buffer.from('half of it')
  await arrived
  throw new Error('the disk failed')
}

it.each([
  ['chunked', {}],
  ['with a Content-Length', { 'Content-Length': '20' }],
])('a body %s that fails after its first chunk is cut, not ended', async (_, headers) => {
  let arrive = () => {}
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const server = await startServer({
    api: {
      handle: async () => ({ status: 200, headers, body: failing(arrived) }),
      refuse: () => expect.fail('nothing is refused here'),
    },
    host: '127.0.0.1',
    port: 0,
  })
  const [response] = await once(get(server.url), 'response')
  arrive()
  await expect(text(response)).rejects.toThrow('aborted')
  await server.stop()
})
