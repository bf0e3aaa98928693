/** A failure in its three parts. */
import { formatRef } from '../domain/identifiers.ts'
import { API_ROOT, problemPath } from '../protocol/routes.ts'
import type { Failure } from './failure.ts'
import { DigestText, Heading } from './parts.tsx'
import { formatPlace } from './place.ts'
import { formatTime, visible } from './text.ts'

interface Props {
  readonly failure: Failure
  /** The root of the API, for the page of the code. */
  readonly api?: string | undefined
  /** Whether it is shown instead of a whole page. */
  readonly isPage?: boolean
  /** Whether its heading takes the focus. */
  readonly focus?: boolean
}

export function FailureCard({ failure, api, isPage = false, focus = false }: Props) {
  const { what, why, next, code, requestId, conflict } = failure
  return (
    <div class="failure" role="alert">
      <Heading as={isPage ? 'h1' : 'h2'} focus={focus}>
        {visible(what)}
      </Heading>
      <dl>
        <dt>Why</dt>
        <dd>
          {why.map((line) => (
            <p key={line}>{visible(line)}</p>
          ))}
          {conflict && <Conflict {...conflict} />}
        </dd>
        <dt>What to do next</dt>
        <dd>{visible(next)}</dd>
      </dl>
      {(code ?? requestId) !== undefined && (
        <p class="small soft">
          {code && api && <a href={`${api}${problemPath(code).slice(API_ROOT.length)}`}>{code}</a>}
          {code && requestId && ' · '}
          {requestId && `request ${visible(requestId)}`}
        </p>
      )}
    </div>
  )
}

function Conflict({ stored, declared }: NonNullable<Failure['conflict']>) {
  const { ref, digest, createdAt, uploadedBy, provenanceSource } = stored
  return (
    <dl class="compare">
      <dt>
        <a href={formatPlace({ view: 'entry', ref, digest: undefined })}>{formatRef(ref)}</a>, stored{' '}
        {formatTime(createdAt)}
        {uploadedBy !== null && ` by ${visible(uploadedBy)}`}
        {provenanceSource !== null && ` from ${visible(provenanceSource)}`}
      </dt>
      <dd>
        <DigestText digest={digest} />
      </dd>
      <dt>Your file</dt>
      <dd>
        <DigestText digest={declared} />
      </dd>
    </dl>
  )
}
