import { describe, expect, it } from 'vitest'
import {
  encodeManifest,
  folderManifest,
  type ManifestEntry,
  parseManifest,
} from '../../../lib/client/node.ts'
import { digestFromHex } from '../../../lib/domain/digest.ts'

const digest = digestFromHex('a'.repeat(64))
const file = (path: string): ManifestEntry => ({ type: 'file', path, size: 1, digest })
const parse = (text: string) => parseManifest(new TextEncoder().encode(text))
const document = (...entries: unknown[]) => JSON.stringify({ format: 'bucket-folder/1', entries })

describe('a folder manifest', () => {
  it('has one written form, sorted by the bytes of the paths', () => {
    const manifest = folderManifest([
      { type: 'symlink', path: 'weights', target: 'shards/0' },
      // U+FF5E sorts before U+1F600 by bytes and after it by UTF-16 code units.
      file('\u{1f600}'),
      file('\uff5e'),
      { type: 'folder', path: 'logs' },
      { type: 'file', path: 'run "x".sh', size: 42, digest, executable: true },
    ])
    expect(new TextDecoder().decode(encodeManifest(manifest))).toBe(
      `{"format":"bucket-folder/1","entries":[
{"path":"logs","type":"folder"},
{"path":"run \\"x\\".sh","type":"file","size":42,"digest":"${digest}","executable":true},
{"path":"weights","type":"symlink","target":"shards/0"},
{"path":"\uff5e","type":"file","size":1,"digest":"${digest}"},
{"path":"\u{1f600}","type":"file","size":1,"digest":"${digest}"}
]}
`,
    )
    expect(parseManifest(encodeManifest(manifest))).toEqual(manifest)
    expect(new TextDecoder().decode(encodeManifest({ entries: [] }))).toBe(
      '{"format":"bucket-folder/1","entries":[]}\n',
    )
  })

  it('is read in any order and with any white space', () => {
    const { entries } = parse(`
      { "entries": [ { "digest": "${digest}", "size": 1.0, "type": "file", "path": "b" },
                     { "type": "folder", "path": "a" } ], "format": "bucket-folder/1" }`)
    expect(entries.map(({ path }) => path)).toEqual(['a', 'b'])
  })

  it.each([
    ['not JSON', '{'],
    ['an array', '[]'],
    ['another format', '{"format":"bucket-folder/2","entries":[]}'],
    ['an unknown member', '{"format":"bucket-folder/1","entries":[],"more":1}'],
    ['an unknown member of an entry', document({ ...file('a'), mode: 7 })],
    ['an unknown type', document({ path: 'a', type: 'device' })],
    ['a type named like a member of every object', document({ path: 'a', type: 'constructor' })],
    ['a file without digest', document({ path: 'a', type: 'file', size: 1 })],
    ['a negative size', document({ ...file('a'), size: -1 })],
    ['a size that is not an integer', document({ ...file('a'), size: 1.5 })],
    ['an upper-case digest', document({ ...file('a'), digest: `sha256:${'A'.repeat(64)}` })],
    ['a pinned ref', document({ ...file('a'), ref: `b/a/v@${digest}` })],
    ...['', '/a', 'a/', 'a//b', './a', 'a/../b', '..', 'a\0', 'n'.repeat(256), '\ud800'].map((path) => [
      `the path ${JSON.stringify(path).slice(0, 20)}`,
      document(file(path)),
    ]),
    ['a path twice', document(file('a'), file('a'))],
    ['a file below a file', document(file('a'), file('a/b'))],
    ['a file below a symlink', document({ type: 'symlink', path: 'a', target: 'b' }, file('a/c'))],
    ...['', '/etc', '..', '../../x', 'a/../../b', 'x\0'].map((target) => [
      `a symlink to ${JSON.stringify(target)}`,
      document({ type: 'symlink', path: 'a', target }),
    ]),
  ])('with %s is refused as a whole', (_, text) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ name: 'FolderError', code: 'manifest_invalid' }),
    )
  })

  it('accepts a symlink that stays inside', () => {
    expect(() => parse(document({ type: 'symlink', path: 'a/b/c', target: '../../d' }))).not.toThrow()
  })
})
