/**
 * Forward proxies as other tools use them: `HTTP_PROXY` for http, `HTTPS_PROXY` for https (through CONNECT), `NO_PROXY` for
 * the exceptions, each also in lower case. Requests to this machine never go to a proxy.
 */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { NetworkError } from '../api/network-error.ts'
import { UNREACHABLE } from './connection-errors.ts'

export type ProxyEnvironment = Readonly<Record<string, string | undefined>>

/** The status of a proxy that demands credentials (RFC 9110, section 15.5.8). */
export const PROXY_AUTHENTICATION_REQUIRED = 407

/** How long a proxy may take to open a tunnel. Milliseconds. */
const CONNECT_MS = 30_000

/** @returns the proxy for a URL; undefined for a direct connection. @throws NetworkError for a proxy address that is invalid. */
export function proxyFor(url: URL, environment: ProxyEnvironment): URL | undefined {
  const read = (name: string) => environment[name.toLowerCase()] || environment[name] || undefined
  const address = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') ?? read('ALL_PROXY')
  if (address === undefined || isExempt(url, read('NO_PROXY') ?? '')) return undefined
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`
  if (URL.canParse(written) && /^https?:/.test(written)) return new URL(written)
  throw new NetworkError('unreachable', 'the address of the proxy is invalid', {
    next: 'Correct HTTP_PROXY or HTTPS_PROXY: http://proxy.example:3128. SOCKS proxies are not supported.',
  })
}

/** @see https://curl.se/docs/manpage.html#NOPROXY */
function isExempt({ hostname, port, protocol }: URL, list: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase()
  if (host === 'localhost' || host === '::1' || /^127\./.test(host)) return true
  const portOfUrl = port || (protocol === 'https:' ? '443' : '80')
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === '') return false
    if (entry === '*') return true
    const [, name = '', portOfEntry] = /^\[?([^[\]]*?)\]?(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
    if (portOfEntry !== undefined && portOfEntry !== portOfUrl) return false
    const suffix = name.replace(/^\*?\./, '')
    return host === suffix || host.endsWith(`.${suffix}`)
  })
}

/** The options that send a plain http request through a proxy: the absolute address as its path. */
export const proxiedRequest = (proxy: URL, url: URL) => ({
  address: new URL(proxy.origin),
  path: url.href,
  headers: { host: url.host, ...authorization(proxy) },
})

/** @returns an agent whose connections are TLS inside a tunnel through the proxy. */
export function tunnelAgent(proxy: URL, options: https.AgentOptions): https.Agent {
  const agent = new https.Agent({ ...options, keepAlive: true })
  const createConnection = (
    target: ConnectionOptions & { host?: string; port?: number | string },
    callback: (error: Error | null, socket?: Socket) => void,
  ): undefined => {
    openTunnel(proxy, `${target.host}:${target.port}`).then(
      (socket) =>
        callback(null, connectTls({ ...target, socket, servername: target.servername ?? target.host })),
      (error) => callback(error),
    )
  }
  return Object.assign(agent, { createConnection })
}

async function openTunnel(proxy: URL, target: string): Promise<Socket> {
  const { request } = proxy.protocol === 'https:' ? https : http
  const connecting = request(proxy, {
    method: 'CONNECT',
    path: target,
    headers: { host: target, ...authorization(proxy) },
    agent: false,
    timeout: CONNECT_MS,
  })
  connecting.once('timeout', () => connecting.destroy(new Error('the proxy did not answer')))
  connecting.end()
  const [response, socket] = (await once(connecting, 'connect').catch((error) => {
    throw proxyError(proxy, `cannot be reached: ${UNREACHABLE[error.code] ?? error.message}`, error)
  })) as [http.IncomingMessage, Socket]
  if (response.statusCode === 200) {
    // The limit was for the tunnel; its user has its own limits.
    socket.setTimeout(0)
    return socket
  }
  socket.destroy()
  throw proxyError(
    proxy,
    response.statusCode === PROXY_AUTHENTICATION_REQUIRED
      ? 'asks for other credentials'
      : `refuses the connection (${response.statusCode})`,
  )
}

/** The error of a proxy that cannot be used. */
export const proxyError = (proxy: URL, why: string, cause?: unknown): NetworkError =>
  new NetworkError('unreachable', `the proxy ${proxy.host} ${why}`, {
    cause,
    next: 'Check HTTP_PROXY and HTTPS_PROXY, and add the host to NO_PROXY if it can be reached directly.',
  })

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '') return {}
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }
}
