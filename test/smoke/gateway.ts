/** The gateway's own responses: to callers without permission, and to bodies that are too large for a function. */
import { MIB } from '../../lib/domain/limits.ts'
import { artifactRef } from '../../lib/domain/refs.ts'
import { entryPath, servicePath, versionPath } from '../../lib/protocol/routes.ts'
import type { HeaderLines } from '../support/raw-http.ts'
import { type Deployment, digestOf, expectProblem, expectStatus, freshId } from './deployment.ts'
import { NotShown, type Report } from './report.ts'

const RESPONSES = 'the gateway’s responses (lib/infra/gateway-responses.ts)'

/** Headers that must be refused, by kind of authorization. */
const WRONG: Readonly<Record<string, HeaderLines>> = {
  iam: [
    ['X-Amz-Date', '20200101T000000Z'],
    [
      'Authorization',
      `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20200101/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`,
    ],
  ],
  bearer: [['Authorization', 'Bearer invalid']],
  'api-key': [['X-Api-Key', 'invalid']],
}

export async function checkStrangers(at: Deployment, report: Report): Promise<void> {
  const ref = artifactRef({ bucketId: at.bucketId, artifactId: freshId('stranger'), version: 'v1' })
  const requests = {
    'a read': { method: 'GET', path: entryPath(ref) },
    'a store': { method: 'PUT', path: versionPath(ref), body: Buffer.from('x') },
    'an unknown path': { method: 'GET', path: '/v1/no/such/route' },
    'the root': { method: 'GET', path: servicePath },
  }
  for (const [what, request] of Object.entries(requests)) {
    const name = `${what} without credentials is refused with a problem`
    if (at.auth === 'none') {
      report.skip(name, 'this run sends no authorization (--auth none)')
      continue
    }
    await report.check(name, `${RESPONSES}; access of the deployment`, async () => {
      const response = await at.sendAsStranger(request)
      expectProblem(response, 'unauthorized', 'forbidden')
      expectStatus(response, 401, 403)
      return String(response.status)
    })
  }
  const wrong = WRONG[at.auth]
  const name = 'wrong credentials are refused with a problem'
  if (!wrong) return report.skip(name, 'this run sends no authorization (--auth none)')
  await report.check(name, RESPONSES, async () => {
    const response = await at.sendAsStranger({ method: 'GET', path: entryPath(ref), headers: wrong })
    if (at.isEmulated && at.auth === 'iam' && response.status === 404)
      throw new NotShown('an emulator does not check signatures')
    expectProblem(response, 'unauthorized', 'forbidden')
    return String(response.status)
  })
}

/** Sizes around each limit: the inline limit, Lambda's event (about 4.48 MiB), the gateway's 10 MB. */
const TOO_LARGE = [4.2, 4.6, 9, 11]

export async function checkBodies(at: Deployment, report: Report): Promise<void> {
  const put = (bytes: Uint8Array) =>
    at.sendLarge({
      method: 'PUT',
      path: versionPath(artifactRef({ bucketId: at.bucketId, artifactId: freshId('body'), version: 'v1' })),
      headers: [
        ['X-Artifact-Digest', digestOf(bytes)],
        ['Content-Type', 'application/octet-stream'],
      ],
      body: bytes,
    })
  await report.check('a body of exactly 4 MiB is stored', 'memory and time of the write function', async () =>
    expectStatus(await put(Buffer.alloc(4 * MIB, 'four MiB ')), 201),
  )
  for (const size of TOO_LARGE) {
    const name = `a body of ${size} MiB is refused with a problem`
    if (!at.isGateway) {
      report.skip(name, `this deployment accepts bodies up to ${at.limits.maxInlineBytes} bytes`)
      continue
    }
    const way = at.isEmulated ? ', by the function: an emulator has no limit of its own' : ''
    await report.check(
      name,
      `${RESPONSES}: REQUEST_TOO_LARGE, DEFAULT_4XX, INTEGRATION_FAILURE`,
      async () => {
        const response = await put(Buffer.alloc(Math.floor(size * MIB), 'too large '))
        // Clients would retry a 5xx, which cannot help here.
        expectProblem(response, 'inline_too_large')
        return `${response.status}${way}`
      },
    )
  }
}
