/** The declared digest: one is required, it has one form, and only bytes that have it are stored (docs/http-api.md, sections 1, 4 and 8). */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import {
  EMPTY,
  expectInvisible,
  fetchBytes,
  freshRef,
  OTHER_DIGEST,
  put,
  sha256,
  sha256Base64,
  versionPath,
} from './requests.ts'
import { needs, type TargetThunk } from './target.ts'

const hex = (algorithm: string) => createHash(algorithm).update('x').digest('hex')

export function describeStoreDigest(target: TargetThunk): void {
  describe('declared digest', () => {
    test('a missing digest is 400, and nothing is stored', async () => {
      const ref = freshRef()
      const response = await target().send({ method: 'PUT', path: versionPath(ref), body: Buffer.from('x') })
      expectFaults(response, 'header X-Artifact-Digest')
      await expectInvisible(target(), ref)
    })

    test.each([
      ['without prefix', hex('sha256')],
      ['in upper case', `sha256:${hex('sha256').toUpperCase()}`],
      ['with an upper-case prefix', `SHA256:${hex('sha256')}`],
      ['in base64', `sha256:${sha256Base64('x')}`],
      ['in the form of Repr-Digest', `sha-256=:${sha256Base64('x')}:`],
      ['of MD5', hex('md5')],
      ['of SHA-1', `sha1:${hex('sha1')}`],
      ['of SHA-512', `sha512:${hex('sha512')}`],
      ['one digit short', sha256('x').slice(0, -1)],
      ['one digit long', `${sha256('x')}0`],
      ['as an ETag', `"${sha256('x')}"`],
    ])('%s is 400, with what it looks like', async (_, digest) => {
      const problem = expectFaults(
        await put(target(), freshRef(), 'x', [['X-Artifact-Digest', digest]]),
        'header X-Artifact-Digest',
      )
      expect(problem.errors?.[0]?.detail.length).toBeGreaterThan(10)
    })

    test('an empty digest is 400', async () => {
      expectFaults(
        await put(target(), freshRef(), 'x', [['X-Artifact-Digest', '']]),
        'header X-Artifact-Digest',
      )
    })

    test('two digests are 400', async (context) => {
      needs(context, target(), 'repeated-header')
      const line = ['X-Artifact-Digest', sha256('x')] as const
      expectFaults(await put(target(), freshRef(), 'x', [line, line]), 'header X-Artifact-Digest')
    })

    test.each([
      ['without a sha-256 member', `sha-512=:${Buffer.alloc(64).toString('base64')}:`],
      ['in hex', `sha-256=:${hex('sha256')}:`],
      ['without colons', `sha-256=${sha256Base64('x')}`],
      ['of too few bytes', `sha-256=:${Buffer.alloc(31).toString('base64')}:`],
      ['that is not a dictionary', '???'],
    ])('a Repr-Digest %s is 400', async (_, field) => {
      expectFaults(await put(target(), freshRef(), 'x', [['Repr-Digest', field]]), 'header Repr-Digest')
    })

    test('an invalid Repr-Digest is 400 even with a right X-Artifact-Digest', async () => {
      const headers = [
        ['X-Artifact-Digest', sha256('x')],
        ['Repr-Digest', 'sha-256=:AAAA:'],
      ] as const
      expectFaults(await put(target(), freshRef(), 'x', headers), 'header Repr-Digest')
    })

    test('two headers that disagree are 400, even if one of them is right', async () => {
      const ref = freshRef()
      const problem = expectProblem(
        await put(target(), ref, 'x', [
          ['X-Artifact-Digest', sha256('x')],
          ['Repr-Digest', `sha-256=:${sha256Base64('y')}:`],
        ]),
        'invalid_request',
      )
      for (const error of problem.errors ?? [])
        expect(['x-artifact-digest', 'repr-digest']).toContain(error.name.toLowerCase())
      await expectInvisible(target(), ref)
    })
  })

  describe('digest_mismatch', () => {
    test('names both digests and the size, makes nothing visible, and leaves the version free', async () => {
      const ref = freshRef()
      const problem = expectProblem(
        await put(target(), ref, 'bytes', [['X-Artifact-Digest', OTHER_DIGEST]]),
        'digest_mismatch',
      )
      expect(problem).toMatchObject({
        declared_digest: OTHER_DIGEST,
        computed_digest: sha256('bytes'),
        size: 5,
      })
      expect(problem).not.toHaveProperty('hint')
      await expectInvisible(target(), ref)
      expect((await put(target(), ref, 'bytes')).status).toBe(201)
      expect((await fetchBytes(target(), versionPath(ref))).toString()).toBe('bytes')
    })

    test('the digest of Repr-Digest is checked as well', async () => {
      const response = await put(target(), freshRef(), 'x', [
        ['Repr-Digest', `sha-256=:${sha256Base64('y')}:`],
      ])
      expect(expectProblem(response, 'digest_mismatch')).toMatchObject({ declared_digest: sha256('y') })
    })

    const gzipped = gzipSync('a text that was compressed on the way')
    test.each([
      ['the empty string', 'bytes', EMPTY],
      ['the body without its last newline', 'line\n', sha256('line')],
      ['the body with a last newline', 'line', sha256('line\n')],
      ['the gunzipped body', gzipped, sha256('a text that was compressed on the way')],
    ])('has a hint when the declared digest is that of %s', async (_, body, declared) => {
      const ref = freshRef()
      const response = await put(target(), ref, body, [['X-Artifact-Digest', declared]])
      expect(expectProblem(response, 'digest_mismatch').hint).toEqual(expect.any(String))
      expect((await target().send({ method: 'HEAD', path: versionPath(ref) })).status).toBe(404)
    })

    test('an empty body with the digest of other bytes is a mismatch, not an empty artifact', async () => {
      const ref = freshRef()
      const response = await put(target(), ref, '', [['X-Artifact-Digest', sha256('x')]])
      expect(expectProblem(response, 'digest_mismatch')).toMatchObject({ computed_digest: EMPTY, size: 0 })
      await expectInvisible(target(), ref)
    })

    test('one flipped bit in a large body is detected', async () => {
      const ref = freshRef()
      const right = Buffer.alloc(Math.min(target().maxInlineBytes, 300_000), 'checkpoint')
      const wrong = Buffer.from(right)
      wrong.writeUInt8(wrong.readUInt8(wrong.length - 1) ^ 1, wrong.length - 1)
      const response = await put(target(), ref, wrong, [['X-Artifact-Digest', sha256(right)]])
      expect(expectProblem(response, 'digest_mismatch')).toMatchObject({ computed_digest: sha256(wrong) })
      await expectInvisible(target(), ref)
    })
  })
}
