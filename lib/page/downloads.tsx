/** Downloads of this page. Each is verified while it streams, to disk where the browser lets a page write files. */
import { useEffect, useState } from 'preact/hooks'
import type { Entry } from '../domain/entry.ts'
import { formatRef } from '../domain/identifiers.ts'
import { GIB } from '../domain/limits.ts'
import { fileNameOf } from './commands.ts'
import type { Connection } from './connection.ts'
import { describeFailure, type Failure } from './failure.ts'
import { FailureCard } from './failure-card.tsx'
import { ProgressBar } from './parts.tsx'
import { formatBytes } from './text.ts'
import { useTransfer } from './use-transfer.ts'

/** A Blob of this size still fits into the storage that browsers keep for Blobs. Bytes. */
const MAX_BLOB_BYTES = GIB

interface Download {
  readonly id: number
  readonly entry: Entry
  readonly connection: Connection
}

/** @see https://wicg.github.io/file-system-access/ TypeScript lacks this method, which not every browser has. */
interface FilePicker {
  showSaveFilePicker?(options: { suggestedName: string }): Promise<FileSystemFileHandle>
}

export function useDownloads(connection: Connection) {
  const [downloads, setDownloads] = useState<readonly Download[]>([])
  return {
    downloads,
    add: (entry: Entry) =>
      setDownloads((before) => [{ id: (before[0]?.id ?? 0) + 1, entry, connection }, ...before]),
    remove: (id: number) => setDownloads((before) => before.filter((download) => download.id !== id)),
  }
}

interface Props {
  readonly downloads: readonly Download[]
  readonly remove: (id: number) => void
  readonly api: string
}

export const Downloads = ({ downloads, remove, api }: Props) =>
  downloads.length === 0 ? null : (
    <section class="card" aria-label="Downloads">
      <h2>Downloads</h2>
      <ul class="rows">
        {downloads.map((download) => (
          <li key={download.id}>
            <DownloadRow {...download} api={api} onRemove={() => remove(download.id)} />
          </li>
        ))}
      </ul>
    </section>
  )

function DownloadRow({ entry, connection, api, onRemove }: Download & { api: string; onRemove: () => void }) {
  const { state, start, cancel } = useTransfer<'get'>()
  const [refusal, setRefusal] = useState<Failure | undefined>()
  const { ref, digest, size } = entry
  const name = fileNameOf(entry)

  const begin = async () => {
    setRefusal(undefined)
    const file = await chooseFile(name, size)
    if (file === 'canceled') return onRemove()
    if (file !== undefined && 'what' in file) return setRefusal(file)
    start({ kind: 'get', connection, ref, digest, file })
  }
  // The click that made this row still counts as the person's own action, which the dialog of the browser demands.
  useEffect(() => void begin(), [])
  useEffect(() => {
    if (state.phase === 'done' && state.result.blob) save(state.result.blob, name)
  }, [state.phase])

  const failure = refusal ?? (state.phase === 'failed' ? state.failure : undefined)
  const isRunning = state.phase === 'running'
  return (
    <>
      <p class="row-head">
        <a href={`#${formatRef(ref)}`}>{formatRef(ref)}</a>
        <button type="button" class="second" onClick={isRunning ? cancel : onRemove}>
          {isRunning ? 'Cancel' : 'Dismiss'}
        </button>
      </p>
      {isRunning && <ProgressBar progress={state.progress} total={size} />}
      {state.phase === 'done' && (
        <p class="success" role="status">
          Verified: all {formatBytes(size)} have the digest of the entry.{' '}
          {state.result.blob
            ? 'The browser saves them in its folder for downloads.'
            : 'They are in the file that you chose.'}
        </p>
      )}
      {state.phase === 'canceled' && (
        <p class="soft" role="status">
          Canceled. No file was written.
        </p>
      )}
      {failure && <FailureCard failure={failure} api={api} />}
      {(failure || state.phase === 'canceled') && !refusal && (
        <button type="button" class="second" onClick={() => void begin()}>
          Download again
        </button>
      )}
      {isRunning && !canWriteFiles() && (
        <p class="small soft">
          This browser does not let a page write to a file, so it keeps the bytes until they are verified, and
          saves them then.
        </p>
      )}
    </>
  )
}

const canWriteFiles = () => 'showSaveFilePicker' in globalThis

/** @returns undefined where the bytes are to be collected in a Blob. */
async function chooseFile(
  name: string,
  size: number,
): Promise<FileSystemFileHandle | 'canceled' | Failure | undefined> {
  const picker = globalThis as FilePicker
  if (picker.showSaveFilePicker === undefined)
    return size > MAX_BLOB_BYTES ? tooLargeForBlob(size) : undefined
  try {
    return await picker.showSaveFilePicker({ suggestedName: name })
  } catch (error) {
    return error instanceof Error && error.name === 'AbortError' ? 'canceled' : describeFailure(error)
  }
}

const tooLargeForBlob = (size: number): Failure => ({
  what: 'This browser cannot verify so large a file',
  why: [
    `It does not let a page write to a file, so the page would have to keep all ${formatBytes(size)} until they are verified. It keeps at most ${formatBytes(MAX_BLOB_BYTES)}.`,
  ],
  next: 'Use one of the commands above, or a browser that lets pages save files, such as Chrome or Edge.',
})

/** Milliseconds after which the browser has taken the Blob. */
const TAKEN_MS = 60_000

function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), TAKEN_MS)
}
