/** The versions of one artifact, a page at a time. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { digestHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { type ArtifactKey, formatArtifactKey, formatRef } from '../domain/identifiers.ts'
import { type Connection, createClient } from './connection.ts'
import { describeFailure, type Failure } from './failure.ts'
import { FailureCard } from './failure-card.tsx'
import { Heading } from './parts.tsx'
import { formatPlace } from './place.ts'
import { formatBytes, formatCount, formatTime } from './text.ts'

/** Rows that are added at a time. */
const PAGE_ROWS = 100

interface Props {
  readonly connection: Connection
  readonly artifact: ArtifactKey
  readonly focus: boolean
}

export function VersionsView({ connection, artifact, focus }: Props) {
  const { entries, isComplete, isLoading, failure, loadMore } = useVersions(connection, artifact)
  const name = formatArtifactKey(artifact)
  const isEmpty = isComplete && entries.length === 0
  return (
    <section class="card" aria-busy={isLoading}>
      <Heading focus={focus}>{name}</Heading>
      {isEmpty ? (
        <>
          <p>No version of this artifact is stored.</p>
          <p class="soft">
            Check bucket_id and artifact_id: they are compared byte by byte. Bucket cannot list artifacts, so
            it cannot tell which name you meant.
          </p>
        </>
      ) : (
        <p class="soft">
          Versions in the byte order of their names. The order does not tell which one is newer.
        </p>
      )}
      {entries.length > 0 && <Table entries={entries} name={name} />}
      {failure && <FailureCard failure={failure} api={connection.config.api} />}
      <p class="table-end">
        <span role="status" class="soft">
          {isLoading ? 'Loading versions' : isEmpty ? '' : counted(entries.length, isComplete)}
        </span>
        {!isComplete && !isLoading && (
          <button type="button" class="second" onClick={loadMore}>
            {failure ? 'Try again' : `Show ${PAGE_ROWS} more`}
          </button>
        )}
      </p>
    </section>
  )
}

const counted = (count: number, isComplete: boolean): string =>
  isComplete
    ? count === 1
      ? '1 version'
      : `All ${formatCount(count)} versions`
    : `The first ${formatCount(count)} versions`

const Table = ({ entries, name }: { entries: readonly Entry[]; name: string }) => (
  <table>
    <caption class="hidden">Versions of {name}</caption>
    <thead>
      <tr>
        <th scope="col">Version</th>
        <th scope="col" class="number">
          Size
        </th>
        <th scope="col">Stored</th>
        <th scope="col">Digest</th>
      </tr>
    </thead>
    <tbody>
      {entries.map(({ ref, size, createdAt, digest }) => (
        <tr key={ref.version}>
          <th scope="row">
            <a href={formatPlace({ view: 'entry', ref, digest: undefined })} aria-label={formatRef(ref)}>
              {ref.version}
            </a>
          </th>
          <td class="number">{formatBytes(size)}</td>
          <td>
            <time dateTime={createdAt}>{formatTime(createdAt)}</time>
          </td>
          <td>
            <code title={digest}>{digestHex(digest).slice(0, 12)}…</code>
          </td>
        </tr>
      ))}
    </tbody>
  </table>
)

function useVersions(connection: Connection, artifact: ArtifactKey) {
  const [entries, setEntries] = useState<readonly Entry[]>([])
  const [isComplete, setComplete] = useState(false)
  const [isLoading, setLoading] = useState(true)
  const [failure, setFailure] = useState<Failure | undefined>()
  const stop = useRef(new AbortController())
  const source = useRef<AsyncGenerator<Entry, void> | undefined>(undefined)

  async function load(): Promise<void> {
    setLoading(true)
    setFailure(undefined)
    const { signal } = stop.current
    try {
      source.current ??= createClient(connection).listVersions(artifact, { signal })
      const page: Entry[] = []
      while (page.length < PAGE_ROWS) {
        const next = await source.current.next()
        if (signal.aborted) return
        if (next.done) {
          setComplete(true)
          break
        }
        page.push(next.value)
      }
      setEntries((before) => [...before, ...page])
    } catch (error) {
      if (signal.aborted) return
      // A failed iteration cannot continue, so the list begins again.
      source.current = undefined
      setEntries([])
      setFailure(describeFailure(error))
    }
    setLoading(false)
  }

  useEffect(() => {
    void load()
    return () => stop.current.abort()
  }, [])
  return { entries, isComplete, isLoading, failure, loadMore: () => void load() }
}
