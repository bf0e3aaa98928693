/**
 * Sends the parts of an upload that the store has not: several at once, each streamed from its place in the source and
 * checked by the store as it arrives. A part counts when its arrival is acknowledged.
 */
import { partCount, partSize, sizeOfPart } from '../domain/limits.ts'
import { AdaptiveConcurrency, runAtOnce } from './adaptive-concurrency.ts'
import { deliver } from './delivery.ts'
import type { Front } from './front.ts'
import { PartRequests, type PartToSend } from './part-requests.ts'
import type { OnProgress } from './progress.ts'
import { type Source, sliceSource } from './source.ts'
import type { Upload } from './upload-message.ts'

/** So many times the parts that are sent at once are asked for together. */
const AHEAD = 4

/** @param sha256s of all parts, in order. */
export async function sendParts(
  front: Front,
  upload: Upload,
  source: Source,
  sha256s: readonly string[],
  onProgress: OnProgress | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { size } = upload
  const missing = missingParts(upload, sha256s)
  const concurrency = new AdaptiveConcurrency()
  const requests = new PartRequests(front, upload, missing, signal)
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
    await deliver(front, delivery, stop)
    underWay.delete(number)
    acknowledged += body.size
    concurrency.succeeded(body.size)
    report()
  })
}

/** What the store has with another digest or size is to be sent again (docs/http-api.md, section 7.2). */
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
