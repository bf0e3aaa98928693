/**
 * The `Host` and `Origin` values that a local server accepts. A page that rebinds its own name to a loopback address keeps its name
 * in both headers, so refusing every foreign name keeps it out (DNS rebinding). A page may also embed a response as a script, a style
 * or an image without sending its origin; browsers mark such requests with `Sec-Fetch-Site`.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { BucketError } from '../../domain/errors.ts'
import { invalidInputs } from '../../protocol/input-error.ts'

export interface AllowedHosts {
  /** `host:port` as in a `Host` header, lower case. */
  readonly hosts: ReadonlySet<string>
  /** Names that are accepted with any port, lower case. */
  readonly names: ReadonlySet<string>
  readonly origins: ReadonlySet<string>
}

/**
 * @param address that the server listens on.
 * @param publicUrl the address of the server behind a proxy.
 * @param others further values of `Host`, with a port or for any port.
 */
export function allowedHosts(
  address: { host: string; port: number },
  publicUrl: URL | undefined,
  others: readonly string[] = [],
): AllowedHosts {
  const own = ['127.0.0.1', 'localhost', '[::1]']
  if (!['0.0.0.0', '::'].includes(address.host)) own.push(hostInUrl(address.host))
  const hosts = own.flatMap((name) => spellings('http:', name, address.port))
  const origins = hosts.map((host) => `http://${host}`)
  if (publicUrl) {
    const { protocol, hostname, port } = publicUrl
    const names = spellings(protocol, hostname, port === '' ? DEFAULT_PORTS[protocol] : Number(port))
    hosts.push(...names)
    origins.push(...names.map((host) => `${protocol}//${host}`))
  }
  const names = new Set(others.map((host) => host.toLowerCase()))
  return { hosts: new Set(hosts), names, origins: new Set(origins) }
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

/** The values of `Host` for an address: a client may send the default port of the protocol, or leave it out. */
function spellings(protocol: string, name: string, port: number | undefined): readonly string[] {
  const withPort = `${name}:${port}`.toLowerCase()
  return port === DEFAULT_PORTS[protocol] ? [name.toLowerCase(), withPort] : [withPort]
}

/** A name that was allowed without a port is accepted with any, and one with a default port also without it. */
const isNamed = ({ names }: AllowedHosts, host: string): boolean =>
  [host, host.replace(/:\d+$/, ''), `${host}:80`, `${host}:443`].some((name) => names.has(name))

/**
 * @param acceptsAnyHost for a resource without confidential content: probes of containers and load balancers send their own names.
 * @param headers of the request, of which `Origin` and the fetch metadata count.
 * @throws BucketError `invalid_request` without a host or with several, `host_not_allowed` for a foreign host or origin.
 */
export function checkHost(
  allowed: AllowedHosts,
  hosts: readonly string[],
  headers: IncomingHttpHeaders,
  acceptsAnyHost: boolean,
): void {
  const { origin } = headers
  const [host] = hosts
  if (host === undefined || host === '')
    throw invalidInputs([{ in: 'header', name: 'Host', detail: 'is missing' }])
  if (hosts.length > 1)
    throw invalidInputs([{ in: 'header', name: 'Host', detail: 'is given more than once' }])
  const name = host.toLowerCase()
  if (!acceptsAnyHost && !allowed.hosts.has(name) && !isNamed(allowed, name))
    throw new BucketError(
      'host_not_allowed',
      `this server does not accept the Host ${JSON.stringify(host)}`,
      {},
    )
  const page = origin?.toLowerCase()
  if (page !== undefined && !allowed.origins.has(page) && !isNamed(allowed, page.replace(/^https?:\/\//, '')))
    throw new BucketError(
      'host_not_allowed',
      `this server does not accept pages of the Origin ${JSON.stringify(origin)}`,
      {},
    )
  if (origin === undefined && isEmbedded(headers))
    throw new BucketError(
      'host_not_allowed',
      'this server does not send parts of the pages of other servers',
      {},
    )
}

/** A host as a URL and a `Host` header have it: an IPv6 address in brackets. */
export const hostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/**
 * Whether a page of another origin loads the response as a part of itself, for which browsers send no `Origin`. A link that a person
 * follows (`navigate`) is not such a request, and programs send none of these headers.
 *
 * @see https://www.w3.org/TR/fetch-metadata/
 */
const isEmbedded = (headers: IncomingHttpHeaders): boolean =>
  ['cross-site', 'same-site'].includes(String(headers['sec-fetch-site'])) &&
  (headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document')
