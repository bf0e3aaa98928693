/** The Node server refuses a request before it requests or reads the body, wherever it can (docs/http-api.md, section 4). */
import { beforeAll, describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import { openConnection } from '../../support/raw-socket.ts'
import {
  entryPath,
  expectInvisible,
  freshRef,
  get,
  json,
  OTHER_DIGEST,
  type Ref,
  type Stored,
  sha256,
  stored,
  versionPath,
} from './requests.ts'
import type { Target, TargetThunk } from './target.ts'

/** The head of a store on the wire; the test sends the body. */
export function storeHead(target: Target, ref: Ref, lines: readonly string[]): string {
  const { host } = new URL(target.root)
  return [`PUT ${versionPath(ref)} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n')
}

export function describeNodeExpect(target: TargetThunk): void {
  const open = () => openConnection(new URL(target().root))

  describe('Expect: 100-continue', () => {
    let one: Stored
    beforeAll(async () => {
      one = await stored(target())
    })
    const expecting = (digest: string, length: number, ...more: string[]) => [
      `X-Artifact-Digest: ${digest}`,
      `Content-Length: ${length}`,
      'Expect: 100-continue',
      ...more,
    ]
    const refused = async (ref: Ref, lines: readonly string[]) => {
      const connection = await open()
      connection.write(storeHead(target(), ref, lines))
      const answer = await connection.answer()
      expect(answer.interim).toEqual([])
      return answer
    }

    test('an acceptable store gets 100 Continue, then 201', async () => {
      const ref = freshRef()
      const connection = await open()
      connection.write(storeHead(target(), ref, expecting(sha256('bytes'), 5)))
      await connection.continued()
      connection.write('bytes')
      const answer = await connection.answer()
      expect([answer.status, answer.interim]).toEqual([201, [100]])
      expect(json(await get(target(), entryPath(ref)))).toEqual(json(answer))
    })

    test('a malformed request is refused with 400 before its body is requested', async () => {
      expectFaults(await refused(freshRef(), expecting('nonsense', 5)), 'header X-Artifact-Digest')
    })

    test('a content coding is refused with 415 before the body is requested', async () => {
      const answer = await refused(freshRef(), expecting(OTHER_DIGEST, 5, 'Content-Encoding: gzip'))
      expectProblem(answer, 'unsupported_content_encoding')
    })

    test('a body that is too large is refused with 413 before it is requested', async () => {
      const ref = freshRef()
      const answer = await refused(ref, expecting(OTHER_DIGEST, target().maxArtifactBytes + 1))
      expect(expectProblem(answer, 'artifact_too_large')).toMatchObject({
        size: target().maxArtifactBytes + 1,
        max_artifact_bytes: target().maxArtifactBytes,
      })
      await expectInvisible(target(), ref)
    })

    test('a taken version is refused with 409 before the body is requested', async () => {
      expectProblem(await refused(one.ref, expecting(OTHER_DIGEST, 1_000_000)), 'version_exists')
    })

    test('an unknown path is refused with 404 before the body is requested', async () => {
      const connection = await open()
      const { host } = new URL(target().root)
      connection.write(
        `PUT /v1/nothing HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
      )
      const answer = await connection.answer()
      expect(answer.interim).toEqual([])
      expectProblem(answer, 'route_not_found')
    })
  })

  describe('refusals before the body is read', () => {
    /** Sends the head, and not one byte of the body. */
    const withoutBody = async (ref: Ref, lines: readonly string[]) => {
      const connection = await open()
      connection.write(storeHead(target(), ref, lines))
      return connection.answer()
    }

    test('413 for a Content-Length beyond the limit', async () => {
      for (const length of [target().maxArtifactBytes + 1, Number.MAX_SAFE_INTEGER]) {
        const answer = await withoutBody(freshRef(), [
          `X-Artifact-Digest: ${OTHER_DIGEST}`,
          `Content-Length: ${length}`,
        ])
        expect(expectProblem(answer, 'artifact_too_large')).toMatchObject({ size: length })
      }
    })

    test('409 for a taken version', async () => {
      const { ref, digest } = await stored(target())
      const answer = await withoutBody(ref, [`X-Artifact-Digest: ${digest}`, 'Content-Length: 1000'])
      expect(expectProblem(answer, 'version_exists')).toMatchObject({ conflict: 'identical' })
    })

    test('the body of a refused request is never parsed as the next request', async () => {
      const { ref, digest } = await stored(target())
      const hidden = freshRef()
      const { host } = new URL(target().root)
      const body = storeHead(target(), hidden, [`X-Artifact-Digest: ${sha256('')}`, 'Content-Length: 0'])
      const lines = [`X-Artifact-Digest: ${digest}`, `Content-Length: ${body.length}`]
      const connection = await open()
      connection.write(storeHead(target(), ref, lines))
      connection.write(`${body}GET /v1/health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      await connection.closed()
      expect((await connection.answer()).status).toBe(409)
      await expectInvisible(target(), hidden)
    })

    test('400 and 415', async () => {
      const lines = ['Content-Length: 1000', 'X-Artifact-Digest: nonsense']
      expectFaults(await withoutBody(freshRef(), lines), 'header X-Artifact-Digest')
      const coded = ['Content-Length: 1000', `X-Artifact-Digest: ${OTHER_DIGEST}`, 'Content-Encoding: gzip']
      expectProblem(await withoutBody(freshRef(), coded), 'unsupported_content_encoding')
    })
  })
}
