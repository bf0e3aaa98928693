/** Names in the folder: readable, short enough for every file system, and never shared by two references. */
import { describe, expect, it } from 'vitest'
import { blobFolder, blobName } from '../../../lib/local/blob-names.ts'
import { blobOf, someBytes } from '../../support/fake-artifacts.ts'

const bytes = someBytes(1)
const hex = /[0-9a-f]{64}$/
const nameOf = (text: string) => {
  const blob = blobOf(text, bytes)
  return `${blobFolder('/blobs', blob)}/${blobName(blob)}`.replace(hex, '<hex>')
}

describe('the name of a blob', () => {
  it.each([
    ['prod-models/llama-3-8b-instruct/v3.1.0', '/blobs/prod-models/llama-3-8b-instruct/v3.1.0@<hex>'],
    ['team/Qwen:7B/v1', '/blobs/team/=qwen=_7=b/v1@<hex>'],
    ['team/a./1.', '/blobs/team/a=-/1=-@<hex>'],
  ])('is readable: %s', (text, name) => {
    expect(nameOf(text)).toBe(name)
  })

  it('differs for references that a file system might not distinguish', () => {
    const ids = [
      'a',
      'A',
      'a.',
      'a..',
      'a:',
      'a_',
      'a-',
      'aa',
      'Aa',
      'aA',
      'AA',
      'a+',
      'x'.repeat(128),
      'X'.repeat(128),
      `${'X'.repeat(127)}x`,
      `${'X'.repeat(127)}Y`,
      `a${':'.repeat(127)}`,
      `A${':'.repeat(127)}`,
    ]
    const names = ids.flatMap((id) => [`n/a/${id}`, `n/${id}/v`, `${id}/a/v`]).map(nameOf)
    // What a file system that folds case and drops trailing dots would make of them.
    const folded = names.map((name) => name.toLowerCase().replace(/\.+(?=\/|$)/g, ''))
    expect(new Set(folded).size).toBe(
      new Set(ids.flatMap((id) => [`n/a/${id}`, `n/${id}/v`, `${id}/a/v`])).size,
    )
  })

  it.each(['x'.repeat(128), 'X'.repeat(128), `x${':'.repeat(127)}`, `${'Ab'.repeat(64)}`])(
    'has parts of at most 255 bytes of plain characters: %s',
    (id) => {
      const blob = blobOf(`${id}/${id}/${id}`, bytes)
      for (const part of [...blobFolder('', blob).split('/'), blobName(blob)]) {
        expect(Buffer.byteLength(part)).toBeLessThanOrEqual(255)
        expect(part).toMatch(/^[a-z0-9._+=@-]*$/)
      }
    },
  )
})
