/** Hashes, stores or fetches in a worker, so that the page stays responsive. A worker runs one transfer at a time. */
import {
  type ArtifactDigests,
  blobSource,
  digestsOf,
  type Progress,
  type Source,
  SourceChangedError,
  type TransferOptions,
} from '../client/index.ts'
import { createClient } from './connection.ts'
import { describeFailure } from './failure.ts'
import type { FromWorker, Job, ToWorker, Transfers } from './transfer-messages.ts'

/** Bytes are put into a Blob of this size at a time: browsers keep Blobs outside of the memory of the page. */
const BLOB_BYTES = 8 * 1024 * 1024

/** Milliseconds between two reports of the same phase. */
const REPORT_MS = 100

/** Of the running transfer. */
let stop = new AbortController()
const send = (message: FromWorker) => postMessage(message)

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === 'cancel') return stop.abort()
  stop = new AbortController()
  void run(data, stop.signal)
})

async function run(job: Job, signal: AbortSignal): Promise<void> {
  try {
    send({ kind: 'done', result: await RUN[job.kind](job as never, optionsOf(signal)) })
  } catch (error) {
    send(signal.aborted ? { kind: 'canceled' } : { kind: 'failed', failure: describeFailure(error) })
  }
}

const RUN: {
  readonly [K in keyof Transfers]: (job: Job<K>, options: TransferOptions) => Promise<Transfers[K]['result']>
} = {
  hash: async ({ file }, options) => await digestsOf(blobSource(file), options),

  async put({ connection, ref, file, digests, description }, options) {
    const source = hashedSource(file, digests)
    return await createClient(connection).put(ref, source, { ...description, ...options })
  },

  async get({ connection, ref, digest, file }, options) {
    // Opened first, so that a file that cannot be written is refused before anything is fetched.
    const target = await file?.createWritable()
    try {
      const stream = await createClient(connection).get(ref, { digest, ...options })
      if (target === undefined) return { blob: await collect(stream) }
      // The browser gives the file its new content only when the stream ends normally, which it does only if the digest is right.
      await stream.pipeTo(target)
      return { blob: undefined }
    } catch (error) {
      await target?.abort().catch(() => {}) // closed already by the pipe
      if (file !== undefined) await removeIfEmpty(file)
      throw error
    }
  },
}

/** The file with the digests of an earlier job, so that it is read once more only to be sent. */
function hashedSource(file: Blob, digests: ArtifactDigests): Source {
  const source = blobSource(file)
  return {
    ...source,
    ...digests,
    async *open(start, end) {
      try {
        yield* source.open(start, end)
      } catch (error) {
        throw error instanceof DOMException ? new SourceChangedError(error.message) : error
      }
    },
  }
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Blob> {
  const blobs: Blob[] = []
  let chunks: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  const reader = stream.getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(new Uint8Array(next.value))
    bytes += next.value.byteLength
    if (bytes < BLOB_BYTES) continue
    blobs.push(new Blob(chunks))
    chunks = []
    bytes = 0
  }
  // A neutral type: a browser that opens the Blob must not run it as a page of this origin.
  return new Blob([...blobs, ...chunks], { type: 'application/octet-stream' })
}

/** The dialog made a new file, and a fetch that failed leaves it empty. Not every browser lets a page remove it. */
async function removeIfEmpty(file: FileSystemFileHandle & { remove?(): Promise<void> }): Promise<void> {
  const { size } = await file.getFile()
  if (size === 0) await file.remove?.()
}

function optionsOf(signal: AbortSignal): TransferOptions {
  let phase: Progress['phase'] | undefined
  let reportedAt = 0
  return {
    signal,
    onProgress(progress) {
      // The worker may have the next transfer already.
      if (signal.aborted) return
      const now = performance.now()
      const isEnd = progress.bytes === progress.total
      if (progress.phase === phase && now - reportedAt < REPORT_MS && !isEnd) return
      phase = progress.phase
      reportedAt = now
      send({ kind: 'progress', progress })
    },
  }
}
