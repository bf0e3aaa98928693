/**
 * The `Host` and `Origin` values that a local server accepts. A page that rebinds its own name to a loopback address keeps its name
 * in both headers, so refusing every foreign name keeps it out (DNS rebinding).
 */
import { BucketError } from '../../domain/errors.ts'
import { invalidInputs } from '../../protocol/input-error.ts'

export interface AllowedHosts {
  /** `host:port` as in a `Host` header, lower case. */
  readonly hosts: ReadonlySet<string>
  readonly origins: ReadonlySet<string>
}

/**
 * @param address that the server listens on.
 * @param publicUrl the address of the server behind a proxy.
 */
export function allowedHosts(
  address: { host: string; port: number },
  publicUrl: URL | undefined,
): AllowedHosts {
  const names = ['127.0.0.1', 'localhost', '[::1]']
  if (!['0.0.0.0', '::'].includes(address.host))
    names.push(address.host.includes(':') ? `[${address.host}]` : address.host)
  const hosts = names.flatMap((name) =>
    address.port === 80
      ? [name.toLowerCase(), `${name.toLowerCase()}:80`]
      : [`${name.toLowerCase()}:${address.port}`],
  )
  const origins = hosts.map((host) => `http://${host}`)
  if (publicUrl) {
    hosts.push(publicUrl.host)
    origins.push(publicUrl.origin)
  }
  return { hosts: new Set(hosts), origins: new Set(origins) }
}

/**
 * @param acceptsAnyHost for a resource without confidential content: probes of containers and load balancers send their own names.
 * @throws BucketError `invalid_request` without a host or with several, `host_not_allowed` for a foreign host or origin.
 */
export function checkHost(
  allowed: AllowedHosts,
  hosts: readonly string[],
  origin: string | undefined,
  acceptsAnyHost: boolean,
): void {
  const [host] = hosts
  if (host === undefined || host === '')
    throw invalidInputs([{ in: 'header', name: 'Host', detail: 'is missing' }])
  if (hosts.length > 1)
    throw invalidInputs([{ in: 'header', name: 'Host', detail: 'is given more than once' }])
  if (!acceptsAnyHost && !allowed.hosts.has(host.toLowerCase()))
    throw new BucketError(
      'host_not_allowed',
      `this server does not accept the Host ${JSON.stringify(host)}`,
      {},
    )
  if (origin !== undefined && !allowed.origins.has(origin.toLowerCase()))
    throw new BucketError(
      'host_not_allowed',
      `this server does not accept pages of the Origin ${JSON.stringify(origin)}`,
      {},
    )
}
