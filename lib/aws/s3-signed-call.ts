/**
 * The two S3 calls that the read side needs for the state of an upload, without an S3 client: signed here and sent with
 * `fetch`. Bounded and retried as the SDK would, and translated as every other failure is.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { presign, type SignedAccess, type UnsignedRequest } from './s3-presign.ts'
import { serviceFailure } from './sdk-failure.ts'

/** One try, its body included; milliseconds. With pauses, all tries end before API Gateway gives up after 29 s. */
const TRY_MS = 5000
const TRIES = 3
const PAUSE_MS = 100
/** A signature is used at once; the rest is for clocks that differ. */
const SIGNED_SECONDS = 300

export interface SignedAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/**
 * @param doing what is tried: `the parts could not be listed`.
 * @param expected statuses beside 200 that mean something to the caller.
 * @throws BucketError `unavailable`
 */
export async function callSigned(
  access: SignedAccess,
  request: UnsignedRequest,
  doing: string,
  expected: readonly number[],
): Promise<SignedAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await send(access, request)
      if (answer.status === 200 || expected.includes(answer.status)) return answer
      throw new Refused(answer)
    } catch (error) {
      const passes = !(error instanceof Refused) || error.$metadata.httpStatusCode >= 500
      if (!passes || attempt === TRIES) throw serviceFailure(asFailure(error), doing)
      await wait(Math.random() * PAUSE_MS * 2 ** attempt)
    }
  }
}

async function send(access: SignedAccess, request: UnsignedRequest): Promise<SignedAnswer> {
  const { url } = await presign(access, request, SIGNED_SECONDS)
  const { method, headers } = request
  const signal = AbortSignal.timeout(TRY_MS)
  const response = await fetch(url, { method, headers: { ...headers }, redirect: 'error', signal })
  return { status: response.status, headers: response.headers, body: await response.text() }
}

/** Shaped like the SDK's own errors, so that one place says what each means. */
class Refused extends Error {
  readonly $metadata: { readonly httpStatusCode: number }

  constructor({ status, body }: SignedAnswer) {
    super(`S3 answered ${status}`)
    this.name = /<Code>(\w+)<\/Code>/.exec(body)?.[1] ?? 'UnknownError'
    this.$metadata = { httpStatusCode: status }
  }
}

/** `fetch` reports a broken connection as a TypeError, which elsewhere is a fault of our own code. */
const asFailure = (error: unknown): unknown =>
  error instanceof TypeError ? new Error('the connection failed', { cause: error }) : error
