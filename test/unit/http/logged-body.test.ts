/** The operation log of a streamed response: the bytes sent, and whether the client disconnected before the end. */
import { describe, expect, it } from 'vitest'
import { isPourable } from '../../../lib/flow/pourable.ts'
import { logged } from '../../../lib/http/logged-body.ts'
import { RequestTrace } from '../../../lib/http/request-context.ts'
import type { HttpRequest } from '../../../lib/protocol/http-message.ts'

const request = { method: 'GET', requestId: 'r-1' } as HttpRequest

/** The body of an answer of six bytes in three chunks, and the lines that its log has. */
function answer(fails?: Error) {
  const lines: Record<string, unknown>[] = []
  async function* bytes() {
    for (const text of ['ab', 'cd', 'ef']) yield Buffer.from(text)
    if (fails) throw fails
  }
  const { body } = logged(
    { status: 200, headers: { 'Content-Length': '6' }, body: bytes() },
    request,
    new RequestTrace(),
    (line) => lines.push({ ...line }),
  )
  if (body === null || typeof body === 'string') throw new Error('the body is a stream')
  return { body: body[Symbol.asyncIterator](), lines }
}

describe('a response with bytes', () => {
  it('is logged after the last byte was read', async () => {
    const { body, lines } = answer()
    for (let taken = 0; taken < 3; taken += 1) await body.next()
    expect(lines).toEqual([])
    await body.next()
    expect(lines).toMatchObject([{ status: 200, bytesSent: 6 }])
    expect(lines[0]).not.toHaveProperty('aborted')
  })

  it('is complete for a client that has every byte and disconnects before the end', async () => {
    const { body, lines } = answer(new Error('the receiver is gone'))
    for (let taken = 0; taken < 3; taken += 1) await body.next()
    await expect(body.next()).rejects.toThrow('gone')
    expect(lines).toMatchObject([{ bytesSent: 6 }])
    expect(lines[0]).not.toHaveProperty('aborted')
    expect(lines[0]).not.toHaveProperty('error')
  })

  it('that is poured is logged like one that is iterated', async () => {
    const pour = (writes: number) => async (write: (chunk: Uint8Array) => Promise<void>) => {
      for (let at = 0; at < writes; at += 1) await write(Buffer.from('ab'))
      if (writes < 3) throw new Error('disconnected')
    }
    for (const writes of [3, 1]) {
      const lines: Record<string, unknown>[] = []
      const bytes = { [Symbol.asyncIterator]: () => expect.fail('not iterated'), pour: pour(writes) }
      const { body } = logged(
        { status: 200, headers: { 'Content-Length': '6' }, body: bytes },
        request,
        new RequestTrace(),
        (line) => lines.push({ ...line }),
      )
      if (body === null || typeof body === 'string' || !isPourable(body)) return expect.fail('not poured')
      const poured = body.pour(async () => undefined)
      if (writes === 3) await poured
      else await expect(poured).rejects.toThrow('disconnected')
      expect(lines).toMatchObject([
        writes === 3 ? { bytesSent: 6 } : { bytesSent: 2, aborted: true, error: 'disconnected' },
      ])
    }
  })

  it('is logged as interrupted if the client read less', async () => {
    const { body, lines } = answer()
    await body.next()
    await body.next()
    await body.return?.()
    expect(lines).toMatchObject([{ bytesSent: 2, aborted: true }])
  })
})
