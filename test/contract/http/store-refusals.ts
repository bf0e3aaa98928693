/** The refusals of a store, and their order (docs/http-api.md, sections 4 and 8). */
import { beforeAll, describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import { type HeaderLines, header } from '../../support/raw-http.ts'
import {
  entryPath,
  expectInvisible,
  fetchBytes,
  freshRef,
  get,
  json,
  OTHER_DIGEST,
  put,
  type Ref,
  type Stored,
  sha256,
  stored,
  versionPath,
} from './requests.ts'
import { needs, type Target, type TargetThunk } from './target.ts'

const encoded: HeaderLines = [['Content-Encoding', 'br']]

/** A body one byte above this front's limit, or only its announcement if the front refuses before it reads. */
function putTooLarge(target: Target, ref: Ref, headers: HeaderLines = []) {
  const size = target.maxInlineBytes + 1
  if (target.front === 'gateway') return put(target, ref, Buffer.alloc(size), headers)
  const digest: HeaderLines = [['X-Artifact-Digest', OTHER_DIGEST]]
  const lines: HeaderLines = [...digest, ['Content-Length', String(size)], ...headers]
  return target.send({ method: 'PUT', path: versionPath(ref), headers: lines })
}

export function describeStoreRefusals(target: TargetThunk): void {
  describe('a taken version', () => {
    let one: Stored
    beforeAll(async () => {
      one = await stored(target(), 'first', [['X-Uploaded-By', 'first']])
    })

    test('refuses the same bytes with 409 identical and the stored entry', async () => {
      const problem = expectProblem(await put(target(), one.ref, 'first'), 'version_exists')
      expect(problem).toMatchObject({ conflict: 'identical', declared_digest: one.digest, stored: one.entry })
    })

    test('refuses other bytes with 409 different and the stored entry', async () => {
      const problem = expectProblem(
        await put(target(), one.ref, 'second', [['X-Uploaded-By', 'second']]),
        'version_exists',
      )
      expect(problem).toMatchObject({
        conflict: 'different',
        declared_digest: sha256('second'),
        stored: one.entry,
      })
    })

    test('gives a repeated store the same response, and does not change', async () => {
      const { request_id: _, ...first } = expectProblem(
        await put(target(), one.ref, 'second'),
        'version_exists',
      )
      const { request_id: __, ...again } = expectProblem(
        await put(target(), one.ref, 'second'),
        'version_exists',
      )
      expect(again).toEqual(first)
      expect(json(await get(target(), entryPath(one.ref)))).toEqual(one.entry)
      expect((await fetchBytes(target(), versionPath(one.ref))).toString()).toBe('first')
    })

    test('answers 409 before digest_mismatch, because the bytes no longer matter', async () => {
      const declared: HeaderLines = [['X-Artifact-Digest', one.digest]]
      const problem = expectProblem(await put(target(), one.ref, 'other bytes', declared), 'version_exists')
      expect(problem).toMatchObject({ conflict: 'identical' })
    })

    test('answers If-None-Match: * with 412 precondition_failed and the same members', async () => {
      const absent: HeaderLines = [['If-None-Match', '*']]
      expect(
        expectProblem(await put(target(), one.ref, 'first', absent), 'precondition_failed'),
      ).toMatchObject({ conflict: 'identical', declared_digest: one.digest, stored: one.entry })
      expect(
        expectProblem(await put(target(), one.ref, 'second', absent), 'precondition_failed'),
      ).toMatchObject({ conflict: 'different', declared_digest: sha256('second'), stored: one.entry })
    })

    test('changes no other refusal for If-None-Match: *', async () => {
      const headers: HeaderLines = [
        ['If-None-Match', '*'],
        ['X-Artifact-Digest', OTHER_DIGEST],
      ]
      expectProblem(await put(target(), freshRef(), 'x', headers), 'digest_mismatch')
    })
  })

  describe('preconditions and codings of a store', () => {
    test.for([
      ['If-Match', '*'],
      ['If-Match', `"${OTHER_DIGEST}"`],
      ['If-None-Match', `"${OTHER_DIGEST}"`],
      ['If-Modified-Since', 'Sun, 06 Nov 1994 08:49:37 GMT'],
      ['If-Unmodified-Since', 'Sun, 06 Nov 2094 08:49:37 GMT'],
      ['If-Range', `"${OTHER_DIGEST}"`],
    ] as const)('%s: %s is 400, and nothing is stored', async ([name, value]) => {
      const ref = freshRef()
      expectFaults(await put(target(), ref, 'x', [[name, value]]), `header ${name}`)
      expect((await get(target(), entryPath(ref))).status).toBe(404)
    })

    test('Content-Range is 400: a version is never stored in pieces (RFC 9110, section 14.5)', async () => {
      expectFaults(
        await put(target(), freshRef(), 'x', [['Content-Range', 'bytes 0-0/2']]),
        'header Content-Range',
      )
    })

    test.for(['gzip', 'br', 'aws-chunked', 'gzip, identity', 'unheard-of'])(
      'Content-Encoding: %s is 415, and nothing is stored',
      async (coding, context) => {
        if (coding === 'gzip') needs(context, target(), 'gzip-coding')
        if (coding === 'aws-chunked') needs(context, target(), 'aws-chunked-coding')
        const ref = freshRef()
        const response = await put(target(), ref, 'x', [['Content-Encoding', coding]])
        expectProblem(response, 'unsupported_content_encoding')
        expect((await get(target(), entryPath(ref))).status).toBe(404)
      },
    )
  })

  describe('a body that is too large', () => {
    test('is refused with 413, the size, the limit, and the alternative', async (context) => {
      const { maxInlineBytes, maxArtifactBytes } = target()
      if (target().front === 'gateway') needs(context, target(), 'body-limit')
      const ref = freshRef()
      const response = await putTooLarge(target(), ref)
      if (maxInlineBytes < maxArtifactBytes) {
        const problem = expectProblem(response, 'inline_too_large')
        expect(problem).toMatchObject({ size: maxInlineBytes + 1, max_inline_bytes: maxInlineBytes })
        expect(decodeURIComponent(String(problem.upload))).toMatch(
          new RegExp(
            `^/v1/buckets/${ref.bucketId}/artifacts/${ref.artifactId}/versions/${ref.version}/uploads/sha256:[0-9a-f]{64}$`,
          ),
        )
      } else {
        const problem = expectProblem(response, 'artifact_too_large')
        expect(problem).toMatchObject({ size: maxInlineBytes + 1, max_artifact_bytes: maxArtifactBytes })
        expect(header(response, 'Upload-Limit')).toBe(`max-size=${maxArtifactBytes}`)
      }
      await expectInvisible(target(), ref)
    })

    test('is refused at the limit if it has no Content-Length, and stores nothing', async (context) => {
      needs(context, target(), 'chunked', 'body-limit')
      const { maxInlineBytes, maxArtifactBytes } = target()
      if (maxInlineBytes > 8 * 1024 * 1024)
        context.skip(`the limit of ${maxInlineBytes} bytes is too large to try here`)
      const ref = freshRef()
      const response = await put(target(), ref, Buffer.alloc(maxInlineBytes + 1), [], { framing: 'chunked' })
      expectProblem(response, maxInlineBytes < maxArtifactBytes ? 'inline_too_large' : 'artifact_too_large')
      await expectInvisible(target(), ref)
    })
  })

  describe('refusals have this order:', () => {
    let one: Stored
    beforeAll(async () => {
      one = await stored(target())
    })

    test('400 before 415', async () => {
      const headers: HeaderLines = [...encoded, ['X-Artifact-Digest', 'nonsense']]
      expectFaults(await put(target(), freshRef(), 'x', headers), 'header X-Artifact-Digest')
    })

    test('400 before 409', async () => {
      expectFaults(await put(target(), one.ref, 'x', [['If-Match', '*']]), 'header If-Match')
    })

    test('415 before 409', async () => {
      expectProblem(await put(target(), one.ref, 'x', encoded), 'unsupported_content_encoding')
    })

    test('415 before digest_mismatch', async () => {
      const headers: HeaderLines = [...encoded, ['X-Artifact-Digest', OTHER_DIGEST]]
      expectProblem(await put(target(), freshRef(), 'x', headers), 'unsupported_content_encoding')
    })

    test('400 and 415 before 413, 413 before 409', async (context) => {
      if (target().front === 'gateway') needs(context, target(), 'body-limit')
      expect((await putTooLarge(target(), one.ref, [['If-Match', '*']])).status).toBe(400)
      expect((await putTooLarge(target(), one.ref, encoded)).status).toBe(415)
      expect((await putTooLarge(target(), one.ref)).status).toBe(413)
    })
  })

  test('all errors of a request are reported at once', async () => {
    const ref = freshRef({ bucketId: '-b', artifactId: '-a', version: '-v' })
    const response = await put(
      target(),
      ref,
      'x',
      [
        ['X-Artifact-Digest', 'nonsense'],
        ['X-Uploaded-By', 'u'.repeat(257)],
        ['X-Provenance-Source', 'p'.repeat(1025)],
        ['Content-Type', 'c'.repeat(256)],
        ['If-Match', '*'],
      ],
      { path: `${versionPath(ref)}?force=1` },
    )
    expectFaults(
      response,
      'path bucket_id',
      'path artifact_id',
      'path version',
      'query force',
      'header X-Artifact-Digest',
      'header X-Uploaded-By',
      'header X-Provenance-Source',
      'header Content-Type',
      'header If-Match',
    )
  })
}
