/**
 * One TCP connection on which a test writes bytes at any time and sees all responses, interim ones included. It covers what an
 * HTTP client hides: `Expect: 100-continue`, early responses, senders that stall, broken framing.
 */
import { connect } from 'node:net'
import { headerMap, type RawResponse } from './raw-http.ts'

export interface SocketAnswer extends RawResponse {
  /** Status codes of the interim responses (1xx) before it. */
  readonly interim: readonly number[]
}

export interface RawConnection {
  write(bytes: string | Uint8Array): void
  /** Sends FIN: no more bytes will come. */
  end(): void
  /** Sends RST, as the kernel does for a process that dies. */
  abort(): void
  /** Resolves when the interim response 100 has arrived; rejects on a final response or the end instead. */
  continued(): Promise<void>
  /** The final response; rejects when the connection ends without one. */
  answer(): Promise<SocketAnswer>
  /** One final response per request, in the order of the responses. */
  answers(count: number): Promise<readonly SocketAnswer[]>
  /** Resolves when the other side has closed. */
  closed(): Promise<void>
}

/** Time limit for each awaited event: only a hang ends here. */
const WAIT_MS = 20_000

export async function openConnection(origin: URL): Promise<RawConnection> {
  const socket = connect({ host: origin.hostname.replace(/^\[|\]$/g, ''), port: Number(origin.port || 80) })
  let received = Buffer.alloc(0)
  let ended = false
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
  }
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    wake()
  })
  // A reset after the response is not a failure: a test that waits for more sees the end.
  socket.on('error', () => {})
  socket.on('close', () => {
    ended = true
    wake()
  })
  socket.on('end', () => {
    ended = true
    wake()
  })

  /** Looks again at each event until `look` finds something. */
  const until = <T>(what: string, look: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        waiting.delete(attempt)
        clearTimeout(timer)
        settle()
      }
      const attempt = () => {
        const found = look()
        if (found !== undefined) return finish(() => resolve(found))
        if (ended)
          finish(() =>
            reject(
              new Error(`connection ended before ${what}: ${JSON.stringify(received.toString('latin1'))}`),
            ),
          )
      }
      const timer = setTimeout(() => finish(() => reject(new Error(`no ${what} in ${WAIT_MS} ms`))), WAIT_MS)
      waiting.add(attempt)
      attempt()
    })

  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return {
    write: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    end: () => void socket.end(),
    abort: () => void socket.resetAndDestroy(),
    continued: () =>
      until('100 Continue', () => {
        const head = parseHead(received)
        if (head === undefined) return undefined
        return head.status === 100 ? true : failed(`final answer ${head.status} instead of 100`)
      }).then(() => undefined),
    answer: () =>
      until('an answer', () => parseAnswer(received, ended)?.answer).finally(() => socket.destroy()),
    answers: (count) =>
      until(`${count} answers`, () => parseAnswers(received, ended, count)).finally(() => socket.destroy()),
    closed: () => until('the close', () => (ended ? true : undefined)).then(() => undefined),
  }
}

function failed(message: string): never {
  throw new Error(message)
}

function parseHead(bytes: Buffer) {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [statusLine, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(statusLine?.split(' ')[1])
  const headers = headerMap(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
    }),
  )
  return { status, headers, rest: bytes.subarray(end + 4) }
}

interface Parsed {
  readonly answer: SocketAnswer
  /** The bytes after it. */
  readonly rest: Buffer
}

function parseAnswers(bytes: Buffer, ended: boolean, count: number): readonly SocketAnswer[] | undefined {
  const answers: SocketAnswer[] = []
  let rest = bytes
  while (answers.length < count) {
    const next = parseAnswer(rest, ended)
    if (!next) return undefined
    answers.push(next.answer)
    rest = next.rest
  }
  return answers
}

function parseAnswer(bytes: Buffer, ended: boolean): Parsed | undefined {
  const interim: number[] = []
  let head = parseHead(bytes)
  while (head !== undefined && head.status < 200) {
    interim.push(head.status)
    head = parseHead(head.rest)
  }
  if (head === undefined) return undefined
  const { status, headers, rest } = head
  const whole = (body: Buffer, end = body.length): Parsed => ({
    answer: { status, headers, body, interim },
    rest: rest.subarray(end),
  })
  const length = headers.get('content-length')
  if (length !== undefined)
    return rest.length >= Number(length) ? whole(rest.subarray(0, Number(length))) : undefined
  if (headers.get('transfer-encoding') === 'chunked') {
    const chunks = unchunk(rest)
    return chunks && whole(chunks.body, chunks.end)
  }
  if (status === 204 || status === 304) return whole(Buffer.alloc(0))
  return ended ? whole(rest) : undefined
}

function unchunk(bytes: Buffer): { readonly body: Buffer; readonly end: number } | undefined {
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16)
    if (size === 0) return { body: Buffer.concat(chunks), end: line + 4 }
    if (bytes.length < line + 2 + size + 2) return undefined
    chunks.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}
