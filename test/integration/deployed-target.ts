/** The deployed API as a target of the HTTP contract suite. */
import { setTimeout as pause } from 'node:timers/promises'
import { DEFAULT_MAX_ARTIFACT_BYTES, LAMBDA_MAX_INLINE_BYTES } from '../../lib/domain/limits.ts'
import { socketTarget, type Target } from '../contract/http/target.ts'
import type { RawRequest, RawResponse } from '../support/raw-http.ts'
import { given } from './given.ts'

export function deployedTarget(): Target {
  const { deployment, notWitnessed } = given()
  const socket = socketTarget({
    root: deployment.apiRoot,
    front: 'gateway',
    maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
    maxArtifactBytes: DEFAULT_MAX_ARTIFACT_BYTES,
    cannotWitness: notWitnessed,
  })
  const target = { ...socket, send: (request: RawRequest) => patiently(() => socket.send(request)) }
  if (notWitnessed['untyped-body'] === undefined) return target
  // Sends the default type explicitly to an emulator that reads untyped bodies as text; the contract assumes the same type
  // (section 3).
  return {
    ...target,
    send: (request) => {
      const headers = request.headers ?? []
      const typed = headers.some(([name]) => /^content-type$/i.test(name))
      return target.send(
        request.body === undefined || typed
          ? request
          : { ...request, headers: [...headers, ['Content-Type', 'application/octet-stream']] },
      )
    },
  }
}

const ATTEMPTS = 5

/**
 * Repeats a request while the response is a retryable 503, as a client does: an emulator on a busy machine may take longer than a
 * function waits for its ledger. The last response counts.
 */
async function patiently(send: () => Promise<RawResponse>): Promise<RawResponse> {
  for (let attempt = 1; ; attempt++) {
    const response = await send()
    const isRetryable = response.status === 503 && /"retryable":\s*true/.test(response.body.toString('utf8'))
    if (!isRetryable || attempt === ATTEMPTS) return response
    await pause(1_000)
  }
}
