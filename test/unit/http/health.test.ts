/** The health check asks every store at once and names each that fails (docs/http-api.md, section 2). */
import { expect, it } from 'vitest'
import { BucketError } from '../../../lib/domain/errors.ts'
import { READ_HANDLERS, type ReadStores } from '../../../lib/http/read-handlers.ts'
import type { RequestContext } from '../../../lib/http/request-context.ts'
import type { HealthCheck } from '../../../lib/repository/ports.ts'

const good: HealthCheck = { check: async () => {} }
const bad: HealthCheck = {
  check: async () => {
    throw BucketError.unavailable('the service refused the call', new Error('AccessDenied (S3 bucket x)'))
  },
}
const healthOf = (health: ReadStores['health']) =>
  // The handler reads nothing else.
  READ_HANDLERS.health({}, { stores: { health } } as RequestContext<ReadStores>)

it('is ok if every store answers', async () => {
  expect(await healthOf({ ledger: good, 'blob store': good })).toMatchObject({ status: 200, content: 'ok' })
})

it('names the store that fails, and keeps the reason for the log', async () => {
  await expect(healthOf({ ledger: good, 'blob store': bad })).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the blob store does not respond as it should',
    cause: { message: 'blob store: the service refused the call: AccessDenied (S3 bucket x)' },
  })
})

it('asks for no retry if a store needs its operator, and says for what', async () => {
  const failing = (error: BucketError): HealthCheck => ({ check: () => Promise.reject(error) })
  const moved = failing(BucketError.needsOperator('the folder was moved', 'restart the server'))
  await expect(healthOf({ ledger: bad, 'blob store': moved })).rejects.toMatchObject({
    retryable: false,
    retryAfter: undefined,
    next: 'Tell the operator of the service: restart the server. A retry does not help.',
  })
  const full = failing(new BucketError('insufficient_storage', 'the disk is full', {}))
  await expect(healthOf({ ledger: good, 'blob store': full })).rejects.toMatchObject({
    code: 'unavailable',
    retryable: false,
    next: expect.stringContaining('Free space'),
  })
  await expect(healthOf({ ledger: bad })).rejects.toMatchObject({ retryable: true, retryAfter: 1 })
})

it('names every store that fails', async () => {
  await expect(healthOf({ ledger: bad, 'uploads table': good, 'staging area': bad })).rejects.toMatchObject({
    message: 'the ledger and the staging area do not respond as they should',
  })
})
