/** A JSON body is bounded whether or not its length was announced (docs/http-api.md, section 1). */
import { describe, expect, it } from 'vitest'
import { readJson } from '../../../lib/http/json-body.ts'
import type { HttpRequest } from '../../../lib/protocol/http-message.ts'

const KIB = 1024

/** A request whose body comes in chunks of 1 KiB, and how many of them were read. */
function request(chunks: number, size: number | undefined) {
  const read = { chunks: 0 }
  async function* body() {
    for (; read.chunks < chunks; read.chunks += 1) yield Buffer.alloc(KIB, ' ')
  }
  return { read, request: { size, body } as unknown as HttpRequest }
}

describe('a JSON body larger than 64 KiB', () => {
  const tooLarge = { ok: false, error: [{ in: 'body', name: 'body', detail: 'has more than 65536 bytes' }] }

  it('is refused unread if its length is announced', async () => {
    const { read, request: announced } = request(65, 65 * KIB)
    expect(await readJson(announced)).toEqual(tooLarge)
    expect(read.chunks).toBe(0)
  })

  it('is refused at the first chunk past the limit otherwise', async () => {
    const { read, request: chunked } = request(1_000_000, undefined)
    expect(await readJson(chunked)).toEqual(tooLarge)
    expect(read.chunks).toBe(64)
  })
})

describe('a JSON body', () => {
  it('of exactly 64 KiB is read', async () => {
    const { request: full } = request(63, undefined)
    const body = async function* () {
      yield* full.body()
      yield Buffer.from(`{}${' '.repeat(KIB - 2)}`)
    }
    expect(await readJson({ ...full, body })).toEqual({ ok: true, value: {} })
  })

  it.each(['__proto__', 'constructor', 'prototype'])('with the member %s is refused', async (name) => {
    const body = async function* () {
      yield Buffer.from(`{"size": 1, "${name}": {}}`)
    }
    expect(await readJson({ size: undefined, body } as unknown as HttpRequest)).toEqual({
      ok: false,
      error: [{ in: 'body', name, detail: 'is not a member of this body' }],
    })
  })

  it.each([
    ['nothing', '', 'is missing: a JSON object is expected'],
    ['text that is not JSON', '{', 'is not JSON in UTF-8'],
  ])('of %s is refused', async (_, text, detail) => {
    const body = async function* () {
      if (text !== '') yield Buffer.from(text)
    }
    expect(await readJson({ size: undefined, body } as unknown as HttpRequest)).toEqual({
      ok: false,
      error: [{ in: 'body', name: 'body', detail }],
    })
  })
})
