/** One entry: the facts that Bucket keeps of a version, its pinned ref, and how to fetch it. */
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { DESCRIPTION_MEMBERS } from '../domain/description.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { type ArtifactRef, formatArtifactKey, formatPinnedRef, formatRef } from '../domain/identifiers.ts'
import { isMovingName } from '../domain/version-names.ts'
import { commandsFor } from './commands.ts'
import { type Connection, createClient, type PageConfig } from './connection.ts'
import { descriptionLabel } from './description-labels.ts'
import { describeFailure, type Failure } from './failure.ts'
import { FailureCard } from './failure-card.tsx'
import { CopyButton, DigestText, Heading } from './parts.tsx'
import { formatPlace } from './place.ts'
import { formatBytes, formatCount, formatTime, visible } from './text.ts'

interface Props {
  readonly connection: Connection
  readonly artifact: ArtifactRef
  /** The digest that the person expects. */
  readonly digest: Digest | undefined
  readonly focus: boolean
  readonly onDownload: (entry: Entry) => void
}

export function EntryView({ connection, artifact, digest, focus, onDownload }: Props) {
  const { entry, failure, retry } = useEntry(connection, artifact, digest)
  const { config } = connection
  const versions = formatPlace({ view: 'versions', key: artifact })
  return (
    <>
      <section class="card">
        <Heading focus={focus}>
          <a class="crumb" href={versions}>
            {formatArtifactKey(artifact)}
          </a>
          <span class="crumb">/</span>
          {artifact.version}
        </Heading>
        {!entry && !failure && (
          <p class="soft" role="status">
            Looking it up
          </p>
        )}
        {entry && <Facts entry={entry} />}
        {entry && isMovingName(artifact.version) && (
          <p class="small">
            To Bucket “{artifact.version}” is a name like any other: it means these bytes permanently, and
            never a newer version.
          </p>
        )}
        {entry && digest && (
          <p class="small soft">
            The entry has the digest of your reference. The download verifies that the bytes have it, too.
          </p>
        )}
        {failure && <FailureCard failure={failure} api={config.api} />}
        <p class="actions">
          {entry && (
            <button type="button" onClick={() => onDownload(entry)}>
              Download and verify
            </button>
          )}
          {failure && (
            <button type="button" class="second" onClick={retry}>
              Try again
            </button>
          )}
          <a href={versions}>All versions</a>
        </p>
      </section>
      {entry && <Commands entry={entry} config={config} />}
    </>
  )
}

const Facts = ({ entry }: { entry: Entry }) => {
  const { digest, size, createdAt } = entry
  return (
    <dl class="facts">
      <Fact name="Digest" copy={digest}>
        <DigestText digest={digest} />
      </Fact>
      <Fact name="Pinned ref" copy={formatPinnedRef(entry)}>
        <code>{formatPinnedRef(entry)}</code>
      </Fact>
      <Fact name="Size">
        {formatBytes(size)}
        {size >= 1024 && <span class="soft"> · {formatCount(size)} bytes</span>}
      </Fact>
      <Fact name="Stored">
        <time dateTime={createdAt}>{formatTime(createdAt)}</time>
      </Fact>
      {DESCRIPTION_MEMBERS.map((member) => (
        <Fact key={member} name={descriptionLabel(member).label}>
          {stated(entry[member])}
        </Fact>
      ))}
    </dl>
  )
}

/** What the uploader stated, as text: never a link, because anyone who may store can state anything. */
const stated = (text: string | null) => (text === null ? <span class="soft">not stated</span> : visible(text))

const Fact = ({ name, copy, children }: { name: string; copy?: string; children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>
      <span>{children}</span>
      {copy !== undefined && <CopyButton text={copy} label={name} />}
    </dd>
  </div>
)

const Commands = ({ entry, config }: { entry: Entry; config: PageConfig }) => (
  <section class="card">
    <h2>Fetch it elsewhere</h2>
    <p class="soft">Each command verifies the bytes by this digest.</p>
    {commandsFor(entry, config).map(({ title, text }) => (
      <div class="command" key={title}>
        <h3>{title}</h3>
        <CopyButton text={text} label={`the command: ${title}`} />
        <pre>{text}</pre>
      </div>
    ))}
  </section>
)

function useEntry(connection: Connection, artifact: ArtifactRef, digest: Digest | undefined) {
  const [result, setResult] = useState<{ entry?: Entry; failure?: Failure }>({})
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    setResult({})
    createClient(connection)
      .entry(artifact, { signal: stop.signal })
      .then((entry) => {
        if (digest !== undefined && digest !== entry.digest) throw digestDiffers(entry, digest)
        setResult({ entry })
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setResult({ failure: describe(error, artifact) })
      })
    return () => stop.abort()
  }, [attempt])
  return { ...result, retry: () => setAttempt(attempt + 1) }
}

const digestDiffers = ({ ref, digest: stored }: Entry, expected: Digest) =>
  new BucketError(
    'digest_differs',
    `${formatRef(ref)} is stored with ${stored}, and the reference has ${expected}`,
    { expectedDigest: expected, storedDigest: stored },
    {
      next: 'Check where the reference comes from. A stored version never changes, so it was stored with these bytes.',
    },
  )

/** People try names that other stores give a meaning. */
function describe(error: unknown, { version }: ArtifactRef): Failure {
  const failure = describeFailure(error)
  if (failure.code !== 'version_not_found' || !isMovingName(version)) return failure
  return {
    ...failure,
    next: `To Bucket “${version}” is a name like any other, and no version has it. Look up the exact version in your own registry, or in the list of versions.`,
  }
}
