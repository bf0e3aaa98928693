/**
 * Sends the missing parts of an upload: several at once, each streamed from its offset in the source and checked by the store on arrival. A
 * part counts once it is acknowledged.
 */
import { MAX_PARTS_PER_REQUEST, partCount, partSize, sizeOfPart } from '../../domain/limits.ts'
import { runAtOnce } from '../../flow/run-at-once.ts'
import type { ApiClient, Presigned } from '../api/api-client.ts'
import { presignParts, type Upload, type UploadId } from '../api/uploads.ts'
import { AdaptiveConcurrency } from './adaptive-concurrency.ts'
import { deliver } from './presigned-put.ts'
import type { OnProgress } from './progress.ts'
import { type Source, sliceSource } from './source.ts'

/** Requests are fetched for this many times the number of concurrent parts. */
const AHEAD = 4

/** @param sha256s of all parts, in order. */
export async function sendParts(
  api: ApiClient,
  upload: Upload,
  source: Source,
  sha256s: readonly string[],
  onProgress: OnProgress | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { size } = upload
  const missing = missingParts(upload, sha256s)
  const concurrency = new AdaptiveConcurrency()
  const requests = new PartRequests(api, upload, missing, signal)
  let acknowledged = size - missing.reduce((bytes, { number }) => bytes + sizeOfPart(size, number), 0)
  const underWay = new Map<number, number>()
  const report = () => {
    const sent = [...underWay.values()].reduce((sum, bytes) => sum + bytes, acknowledged)
    onProgress?.({ phase: 'uploading', bytes: acknowledged, total: size, sent })
  }
  report()
  await runAtOnce(missing, concurrency, signal, async (part, stop) => {
    const { number, sha256 } = part
    const start = (number - 1) * partSize(size)
    const body = sliceSource(source, start, start + sizeOfPart(size, number))
    let began = 0
    const request = async (isFresh: boolean) => {
      const presigned = isFresh
        ? await requests.fresh(part)
        : await requests.take(part, concurrency.limit * AHEAD)
      began = concurrency.began()
      return presigned
    }
    const delivery = {
      body,
      sha256,
      request,
      onSent(bytes: number) {
        underWay.set(number, bytes)
        report()
      },
      onBusy() {
        underWay.delete(number)
        concurrency.failed(began)
        began = concurrency.began()
      },
    }
    await deliver(api, delivery, stop)
    underWay.delete(number)
    acknowledged += body.size
    concurrency.succeeded(body.size)
    report()
  })
}

/** A part that the store received with another digest or size must be sent again (docs/http-api.md, section 7.2). */
function missingParts({ size, received }: Upload, sha256s: readonly string[]): PartToSend[] {
  const there = new Map(Array.isArray(received) ? received.map((part) => [part.number, part]) : [])
  const parts = Array.from({ length: partCount(size) }, (_, at) => ({
    number: at + 1,
    sha256: sha256s[at] ?? '',
  }))
  return parts.filter(({ number, sha256 }) => {
    const part = there.get(number)
    return part?.sha256 !== sha256 || part.size !== sizeOfPart(size, number)
  })
}

export interface PartToSend {
  /** From 1. */
  readonly number: number
  /** 64 hex digits. */
  readonly sha256: string
}

/** The requests for the parts of one upload; all senders share one. */
export class PartRequests {
  readonly #api: ApiClient
  readonly #id: UploadId
  readonly #parts: readonly PartToSend[]
  readonly #signal: AbortSignal | undefined
  readonly #ready = new Map<number, Presigned>()
  /** The requests of all earlier parts have been fetched. */
  #next = 0
  #asking: Promise<void> | undefined

  /** @param parts in the order in which they will be sent. */
  constructor(api: ApiClient, id: UploadId, parts: readonly PartToSend[], signal: AbortSignal | undefined) {
    this.#api = api
    this.#id = id
    this.#parts = parts
    this.#signal = signal
  }

  /**
   * The request for a part, once.
   *
   * @param ahead the number of parts to request together.
   */
  async take(part: PartToSend, ahead: number): Promise<Presigned> {
    for (;;) {
      const request = this.#ready.get(part.number)
      this.#ready.delete(part.number)
      if (request) return request
      this.#asking ??= this.#ask(ahead).finally(() => {
        this.#asking = undefined
      })
      await this.#asking
    }
  }

  /** A new request for a part. */
  async fresh(part: PartToSend): Promise<Presigned | undefined> {
    return (await presignParts(this.#api, this.#id, [part], this.#signal)).get(part.number)
  }

  async #ask(ahead: number): Promise<void> {
    const batch = this.#parts.slice(this.#next, this.#next + Math.min(ahead, MAX_PARTS_PER_REQUEST))
    const requests = await presignParts(this.#api, this.#id, batch, this.#signal)
    for (const { number } of batch) {
      const request = requests.get(number)
      if (request) this.#ready.set(number, request)
    }
    this.#next += batch.length
  }
}
