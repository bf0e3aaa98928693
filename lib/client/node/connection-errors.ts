/** Errors of the system, of TLS and of Node's HTTP parser about a connection, as `NetworkError`. */
import { errorCode } from '../../flow/error-code.ts'
import { NetworkError, type NetworkErrorKind } from '../api/network-error.ts'

export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && errorCode(error) !== undefined && !('next' in error)

/** Why no connection came about, by the system's code: the end of a sentence about the peer. */
export const UNREACHABLE: { readonly [code: string]: string } = {
  ECONNREFUSED: 'no server listens there',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ETIMEDOUT: 'it does not accept the connection',
}

/** OpenSSL's errors for a response that is not TLS: it reads the first bytes as a version or a length. */
const NOT_TLS = /wrong.version.number|packet.length.too.long/i

/** Errors of TLS carry OpenSSL's own line; the reason follows the name of the function. */
const tlsReason = ({ message }: Error): string => /:SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? message

/**
 * @param where the address of the request, as it may be shown.
 * @param brokeOff what an established connection did, for errors of other kinds.
 */
export function networkError(error: NodeJS.ErrnoException, where: string, brokeOff: string): NetworkError {
  const code = error.code ?? ''
  const because = (kind: NetworkErrorKind, what: string, next?: string) =>
    new NetworkError(kind, `${where} ${what}`, { cause: error, ...(next !== undefined && { next }) })
  if (NOT_TLS.test(`${code} ${error.message}`))
    return because(
      'unreachable',
      'cannot be reached: the port does not use TLS',
      'Give the address with http:// if that is meant, else the port that speaks TLS.',
    )
  if (code === 'EPROTO' || /CERT|TLS|SSL|SIGNED/.test(code))
    return because(
      'unreachable',
      `cannot be reached by TLS: ${tlsReason(error)}`,
      'If its certificate is from a private authority, give that with --ca-file, BUCKET_CA_FILE or NODE_EXTRA_CA_CERTS.',
    )
  if (code in UNREACHABLE) return because('unreachable', `cannot be reached: ${UNREACHABLE[code]}`)
  if (code.startsWith('HPE_')) return because('unexpected_response', 'did not answer in HTTP')
  return because('interrupted', brokeOff)
}
