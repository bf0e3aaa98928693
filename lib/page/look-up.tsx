/** The field that opens an exact ref, and the reason why it searches nothing. */
import { useEffect, useState } from 'preact/hooks'
import type { Failure } from './failure.ts'
import { FailureCard } from './failure-card.tsx'
import { Heading } from './parts.tsx'
import { formatPlace, fragmentOf, type Place } from './place.ts'

const EMPTY: Failure = {
  what: 'No reference',
  why: ['the field is empty'],
  next: 'Write bucket_id/artifact_id/version, or bucket_id/artifact_id to list its versions.',
}

/** The address of the page names no place. */
export interface Nowhere {
  readonly view: 'nowhere'
  readonly text: string
  readonly failure: Failure
}

export function LookUp({ place, focus }: { place: Place | Nowhere; focus: boolean }) {
  const named = nameOf(place)
  const [text, setText] = useState(named)
  const [isEmpty, setEmpty] = useState(false)
  const isHome = place.view === 'look-up'
  useEffect(() => {
    setText(named)
    setEmpty(false)
  }, [place])

  const open = (event: Event) => {
    event.preventDefault()
    const entered = text.trim()
    setEmpty(entered === '')
    // An invalid text becomes the address, too, so that the page never shows a refusal above something else.
    if (entered !== '') location.hash = fragmentOf(entered)
  }
  const failure = isEmpty ? EMPTY : place.view === 'nowhere' ? place.failure : undefined

  return (
    <>
      {(isHome || place.view === 'nowhere') && (
        <div class="intro">
          <Heading focus={focus && isHome}>Look up an artifact</Heading>
          <p class="lead">
            An artifact is stored once under an exact reference and never changes. Every byte is verified by
            its SHA-256 on the way in and on the way out.
          </p>
        </div>
      )}
      <form class={isHome ? 'card' : 'look-up-bar'} onSubmit={open} noValidate>
        <label for="ref">Reference</label>
        <div class="field-row">
          <input
            id="ref"
            class="mono"
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
            placeholder="bucket_id/artifact_id/version"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            aria-describedby={isHome ? 'ref-hint' : undefined}
            aria-invalid={failure !== undefined}
          />
          <button type="submit">Open</button>
        </div>
        {isHome && (
          <p id="ref-hint" class="soft small">
            <code>bucket_id/artifact_id/version</code> opens a version, with <code>@sha256:…</code> only if it
            has this digest. <code>bucket_id/artifact_id</code> lists the versions of an artifact.
          </p>
        )}
      </form>
      {failure && <FailureCard failure={failure} />}
      {isHome && (
        <>
          <section class="card">
            <h2>Store a file</h2>
            <p class="soft">
              Choose a file to see its digest. Nothing is sent before you choose a reference for it.
            </p>
            <p>
              <a class="button" href="#/store">
                Choose a file
              </a>
            </p>
          </section>
          <WhyExact />
        </>
      )}
    </>
  )
}

const nameOf = (place: Place | Nowhere): string => {
  switch (place.view) {
    case 'versions':
    case 'entry':
      return formatPlace(place).slice(1)
    case 'nowhere':
      return place.text
    default:
      return ''
  }
}

const WhyExact = () => (
  <details class="card">
    <summary>Why is there no search and no “latest”?</summary>
    <p>
      Bucket only stores. A name that means other bytes tomorrow cannot be verified or cited, so every
      reference is exact: the same text always gives the same bytes, or nothing.
    </p>
    <p>
      Which version is the newest, the best or in production is a decision. Keep it in your own registry, next
      to the metrics that it depends on, as a pinned ref: <code>bucket_id/artifact_id/version@sha256:…</code>
    </p>
    <p>
      Versions of one artifact are listed in the byte order of their names, for paging. The order does not
      tell which one is newer.
    </p>
  </details>
)
