/** Store: choose a file, see its digest, name it, send it. The server keeps the parts that arrived, so that the same store continues later. */

import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ArtifactDigests } from '../client/index.ts'
import type { DescriptionInput } from '../domain/description.ts'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import { type ArtifactRef, formatPinnedRef, formatRef } from '../domain/identifiers.ts'
import { type Connection, createClient } from './connection.ts'
import { FailureCard } from './failure-card.tsx'
import { FilePicker } from './file-picker.tsx'
import { CopyButton, DigestText, Heading, ProgressBar } from './parts.tsx'
import { formatPlace } from './place.ts'
import { StoreForm } from './store-form.tsx'
import { formatBytes, formatTime, visible } from './text.ts'
import { type Transfer, useTransfer } from './use-transfer.ts'

interface Props {
  readonly connection: Connection
  readonly isOpen: boolean
  readonly focus: boolean
}

interface Request {
  readonly ref: ArtifactRef
  readonly description: DescriptionInput
}

export function StoreView({ connection, isOpen, focus }: Props) {
  const [file, setFile] = useState<File | undefined>()
  const [request, setRequest] = useState<Request | undefined>()
  const hash = useTransfer<'hash'>()
  const store = useTransfer<'put'>()
  const isStoring = store.state.phase === 'running'
  useLeaveWarning(isStoring)

  const choose = (chosen: File) => {
    store.reset()
    setFile(chosen)
    hash.start({ kind: 'hash', file: chosen })
  }
  const digests = hash.state.phase === 'done' ? hash.state.result : undefined
  const send = (next: Request) => {
    if (file === undefined || digests === undefined) return
    setRequest(next)
    store.start({ kind: 'put', connection, file, digests, ...next })
  }

  return (
    <section class="card">
      {isOpen && <Heading focus={focus}>Store a file</Heading>}
      <p class="lead">
        The digest is computed in this browser. Nothing is sent before you choose <em>Store</em>.
      </p>
      <FilePicker file={file} isDisabled={isStoring} onChosen={choose} />
      {file && <FileDigest file={file} hash={hash} api={connection.config.api} />}
      {file && (
        <StoreForm
          key={`${file.name} ${file.size} ${file.lastModified}`}
          type={file.type}
          digest={digests && digestFromHex(digests.sha256)}
          isDisabled={isStoring}
          onSubmit={send}
        />
      )}
      {file && request && digests && (
        <Outcome
          connection={connection}
          file={file}
          request={request}
          digests={digests}
          store={store}
          onAgain={() => send(request)}
        />
      )}
    </section>
  )
}

const FileDigest = ({ file, hash, api }: { file: File; hash: Transfer<'hash'>; api: string }) => (
  <div class="file">
    <p>
      <strong class="file-name">{visible(file.name)}</strong>{' '}
      <span class="soft">{formatBytes(file.size)}</span>
    </p>
    {hash.state.phase === 'running' && <ProgressBar progress={hash.state.progress} total={file.size} />}
    {hash.state.phase === 'failed' && <FailureCard failure={hash.state.failure} api={api} />}
    {hash.state.phase === 'done' && (
      <div class="digest-line">
        <DigestText digest={digestFromHex(hash.state.result.sha256)} />
        <CopyButton text={digestFromHex(hash.state.result.sha256)} label="the digest of the file" />
      </div>
    )}
  </div>
)

interface OutcomeProps {
  readonly connection: Connection
  readonly file: File
  readonly request: Request
  readonly digests: ArtifactDigests
  readonly store: Transfer<'put'>
  readonly onAgain: () => void
}

function Outcome({ connection, file, request, digests, store, onAgain }: OutcomeProps) {
  const { state, cancel, reset } = store
  const outcome = useRef<HTMLDivElement>(null)
  // It may be below the part of the page that the person sees.
  useEffect(() => outcome.current?.scrollIntoView({ block: 'nearest' }), [state.phase])
  const { ref } = request
  const digest = digestFromHex(digests.sha256)
  switch (state.phase) {
    case 'idle':
      return null
    case 'running': {
      const kept = state.first?.phase === 'uploading' ? state.first.bytes : 0
      return (
        <div ref={outcome} class="outcome">
          <ResultHeading key={state.phase}>Storing {formatRef(ref)}</ResultHeading>
          {kept > 0 && <p class="soft">Continued: {formatBytes(kept)} had arrived before.</p>}
          <ProgressBar progress={state.progress} total={file.size} />
          <button type="button" class="second" onClick={cancel}>
            Cancel
          </button>
        </div>
      )
    }
    case 'done': {
      const { entry, created, restored } = state.result
      const [title, text] = outcomeOf(created, restored)
      return (
        <div ref={outcome} class="outcome success" role="status">
          <ResultHeading key={state.phase}>{title}</ResultHeading>
          <p>{text}</p>
          <div class="digest-line">
            <code>{formatPinnedRef(entry)}</code>
            <CopyButton text={formatPinnedRef(entry)} label="the pinned ref" />
          </div>
          <p>
            <a href={formatPlace({ view: 'entry', ref, digest: undefined })}>Open the entry</a>
          </p>
        </div>
      )
    }
    case 'canceled':
      return (
        <Stopped
          connection={connection}
          artifact={ref}
          digest={digest}
          onAgain={onAgain}
          onDiscarded={reset}
        />
      )
    case 'failed':
      return (
        <div ref={outcome} class="outcome">
          <FailureCard failure={state.failure} api={connection.config.api} focus />
          {state.failure.code !== 'version_exists' && (
            <button type="button" class="second" onClick={onAgain}>
              Try again
            </button>
          )}
        </div>
      )
  }
}

/** Takes the focus, because the button that had it is disabled or gone. */
const ResultHeading = ({ children }: { children: ComponentChildren }) => (
  <Heading as="h2" focus>
    {children}
  </Heading>
)

interface StoppedProps {
  readonly connection: Connection
  readonly artifact: ArtifactRef
  readonly digest: Digest
  readonly onAgain: () => void
  readonly onDiscarded: () => void
}

/** After a stop: how much the server keeps, and until when. */
function Stopped({ connection, artifact, digest, onAgain, onDiscarded }: StoppedProps) {
  const [kept, setKept] = useState<{ bytes: number; until: string } | 'nothing' | undefined>()
  useEffect(() => {
    createClient(connection)
      .upload(artifact, digest)
      .then(({ received, expiresAt }) => {
        const bytes = Array.isArray(received) ? received.reduce((sum, part) => sum + part.size, 0) : 0
        setKept(bytes === 0 ? 'nothing' : { bytes, until: expiresAt })
      })
      // Nothing is lost if the question fails: storing again finds what has arrived.
      .catch(() => setKept('nothing'))
  }, [])
  const discard = async () => {
    await createClient(connection)
      .abortUpload(artifact, digest)
      .catch(() => {}) // it has expired or was discarded by another page
    onDiscarded()
  }
  return (
    <div class="outcome">
      <ResultHeading>Stopped</ResultHeading>
      <p role="status">
        {kept === undefined
          ? 'Asking the server what has arrived'
          : kept === 'nothing'
            ? 'Nothing was stored.'
            : `Nothing is stored yet. The server keeps ${formatBytes(kept.bytes)} until ${formatTime(kept.until)}: to continue, also after you close this page, store the same file under the same reference.`}
      </p>
      <p class="actions">
        <button type="button" onClick={onAgain}>
          {kept !== undefined && kept !== 'nothing' ? 'Continue' : 'Store again'}
        </button>
        {kept !== undefined && kept !== 'nothing' && (
          <button type="button" class="second" onClick={() => void discard()}>
            Discard what was sent
          </button>
        )}
      </p>
    </div>
  )
}

/** The browser asks before it closes a page that still sends. */
function useLeaveWarning(isActive: boolean): void {
  useEffect(() => {
    if (!isActive) return
    const warn = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', warn)
    return () => removeEventListener('beforeunload', warn)
  }, [isActive])
}

function outcomeOf(created: boolean, restored: boolean): readonly [title: string, text: string] {
  if (created)
    return [
      'Stored and verified',
      'The server computed the digest of the bytes that arrived, and it is this one. The version will never change.',
    ]
  return restored
    ? [
        'Restored and verified',
        'An earlier store has put exactly these bytes there, and the server had lost them. Tell its operator.',
      ]
    : [
        'Stored already, with the same bytes',
        'An earlier store has put exactly these bytes there. Nothing is left to do.',
      ]
}
