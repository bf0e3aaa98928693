/**
 * A staging area in memory that keeps the port's promises: it checks parts as they arrive, joins them once, reads and promotes
 * the same bytes, and promotes create-only into a blob store. Its contents expire after nine days, as a lifecycle rule would
 * have it.
 */
import { hexToBase64 } from '../../lib/domain/digest.ts'
import { formatPinnedRef } from '../../lib/domain/identifiers.ts'
import type { PresignedRequest, ReceivedPart } from '../../lib/domain/upload.ts'
import type { BlobStore, Clock } from '../../lib/repository/ports.ts'
import type { StagedBytes, StagedUpload, Staging } from '../../lib/repository/upload-ports.ts'
import { described } from './described.ts'
import { digestOf, pieces } from './fake-artifacts.ts'

/** Longer than an upload and its verification can last, in milliseconds. */
const STAGING_MS = 9 * 24 * 3600 * 1000

export interface FakeStaging extends Staging {
  /** Sends the request of a part as a client would. @returns the status of the response. */
  send(request: PresignedRequest, bytes: Uint8Array): Promise<number>
  /** The attempts with staged bytes. */
  readonly attempts: readonly string[]
  /** Promotions that are neither published nor abandoned. */
  readonly promotions: number
  /** The whole state, for comparisons. */
  readonly summary: string
}

export interface FakeStagingOptions {
  readonly blobs: BlobStore
  readonly clock: Clock
  /** Accepts any bytes as a part, and reports the announced digest. */
  readonly ignoresChecksums?: boolean
  /** Where presigned requests lead. */
  readonly origin?: string
}

interface Part extends ReceivedPart {
  readonly bytes: Uint8Array
}

interface StagedAttempt {
  readonly attempt: string
  readonly expiresAt: number
  readonly parts: Map<number, Part>
  joined: Uint8Array | undefined
}

interface Signed {
  readonly name: string
  readonly number: number
  readonly size: number
  readonly sha256: string
  readonly headers: PresignedRequest['headers']
  readonly expiresAt: number
}

export function fakeStaging({
  blobs,
  clock,
  ignoresChecksums = false,
  origin = 'https://staging.test',
}: FakeStagingOptions): FakeStaging {
  const attempts = new Map<string, StagedAttempt>()
  const signed = new Map<string, Signed>()
  let promotions = 0

  const nameOf = (upload: Pick<StagedUpload, 'id' | 'attempt'>) =>
    `${formatPinnedRef(upload.id)}/${upload.attempt}`

  function find(name: string): StagedAttempt | undefined {
    const staged = attempts.get(name)
    if (staged && staged.expiresAt <= clock()) attempts.delete(name)
    return attempts.get(name)
  }
  const sorted = (staged: StagedAttempt) =>
    [...staged.parts.values()].sort((one, other) => one.number - other.number)
  const isSame = (parts: readonly ReceivedPart[], held: readonly Part[]) =>
    parts.length === held.length &&
    parts.every((part, at) => part.number === held[at]?.number && part.sha256 === held[at].sha256)

  return {
    async begin(id, attempt) {
      const name = nameOf({ id, attempt })
      if (attempts.has(name)) throw new Error(`the attempt ${name} comes again`)
      attempts.set(name, { attempt, expiresAt: clock() + STAGING_MS, parts: new Map(), joined: undefined })
      return `staged-${attempt}`
    },

    async presignPart(upload, number, size, sha256, seconds) {
      const url = `${origin}/${encodeURIComponent(nameOf(upload))}/${number}?signature=${signed.size}`
      const expiresAt = clock() + seconds * 1000
      const headers = { 'content-length': String(size), 'x-amz-checksum-sha256': hexToBase64(sha256) }
      signed.set(url, { name: nameOf(upload), number, size, sha256, headers, expiresAt })
      return { method: 'PUT', url, headers, expiresAt: new Date(expiresAt).toISOString() }
    },

    async parts(upload) {
      const staged = find(nameOf(upload))
      if (!staged || staged.joined) return undefined
      return sorted(staged).map(({ number, size, sha256 }) => ({ number, size, sha256 }))
    },

    async complete(upload, parts) {
      const staged = find(nameOf(upload))
      if (!staged) return 'incomplete'
      if (staged.joined) return 'complete'
      const held = sorted(staged)
      if (!isSame(parts, held)) return 'incomplete'
      staged.joined = Buffer.concat(held.map(({ bytes }) => bytes))
      staged.parts.clear()
      return 'complete'
    },

    async open(upload): Promise<StagedBytes | undefined> {
      const bytes = find(nameOf(upload))?.joined
      if (!bytes) return undefined
      return {
        size: bytes.byteLength,
        read: (signal) => pieces(bytes, signal),
        async promote(blob) {
          promotions += 1
          let isOver = false
          const end = () => {
            if (!isOver) promotions -= 1
            isOver = true
          }
          return {
            waitForCopies: (keep) => keep(),
            async publish() {
              if (isOver) throw new Error('a promotion that is over is published')
              const options = { size: bytes.byteLength, description: described(), signal: undefined }
              const result = await blobs.write(blob, pieces(bytes, undefined), options)
              end()
              return result
            },
            async abandon() {
              end()
            },
          }
        },
      }
    },

    async drop(upload) {
      attempts.delete(nameOf(upload))
    },

    async send(request, bytes) {
      const known = signed.get(request.url)
      if (!known || known.expiresAt <= clock()) return 403
      if (Object.entries(known.headers).some(([field, value]) => request.headers[field] !== value)) return 403
      const staged = find(known.name)
      if (!staged || staged.joined) return 404
      const { number, size, sha256 } = known
      if (!ignoresChecksums && bytes.byteLength !== size) return 403
      if (!ignoresChecksums && digestOf(bytes) !== `sha256:${sha256}`) return 400
      staged.parts.set(number, { number, size, sha256, bytes: bytes.slice() })
      return 200
    },

    get attempts() {
      for (const name of attempts.keys()) find(name)
      return [...attempts.values()].map(({ attempt }) => attempt)
    },

    get promotions() {
      return promotions
    },

    get summary() {
      const held = [...attempts.values()].map(({ attempt, expiresAt, parts, joined }) => [
        attempt,
        expiresAt,
        [...parts.values()].map(({ number, bytes }) => [number, digestOf(bytes)]),
        joined && digestOf(joined),
      ])
      return JSON.stringify([held, promotions])
    },
  }
}
