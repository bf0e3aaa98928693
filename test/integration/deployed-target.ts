/** The deployed API as a target of the HTTP contract suite. */
import { DEFAULT_MAX_ARTIFACT_BYTES, LAMBDA_MAX_INLINE_BYTES } from '../../lib/domain/limits.ts'
import { socketTarget, type Target } from '../contract/http/target.ts'
import { given } from './given.ts'

export function deployedTarget(): Target {
  const { deployment, notWitnessed } = given()
  const target = socketTarget({
    root: deployment.apiRoot,
    front: 'gateway',
    maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
    maxArtifactBytes: DEFAULT_MAX_ARTIFACT_BYTES,
    cannotWitness: notWitnessed,
  })
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
