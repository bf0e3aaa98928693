/** The views of the page, and what outlives a change of view: the connection, a store in progress, the downloads. */
import { useEffect, useState } from 'preact/hooks'
import { formatArtifactKey, formatRef } from '../domain/identifiers.ts'
import { type Connection, isComplete, type PageConfig } from './connection.ts'
import { CredentialsCard } from './credentials-card.tsx'
import { Downloads, useDownloads } from './downloads.tsx'
import { EntryView } from './entry-view.tsx'
import { describeFailure } from './failure.ts'
import { Frame } from './frame.tsx'
import { LookUp, type Nowhere } from './look-up.tsx'
import { formatPlace, fragmentText, type Place, parsePlace } from './place.ts'
import { StoreView } from './store-view.tsx'
import { VersionsView } from './versions-view.tsx'

type Located = Place | Nowhere

export function App({ config }: { config: PageConfig }) {
  const [place, moved] = usePlace()
  const [connection, setConnection] = useState<Connection>({
    config,
    credentials: { kind: 'none' },
    apiKey: undefined,
  })
  const downloads = useDownloads(connection)
  useEffect(keepPageOnDrop, [])
  useEffect(() => {
    document.title = titleOf(place)
  }, [place])

  if (!isComplete(connection))
    return (
      <Frame current="look-up" api={config.api}>
        <CredentialsCard config={config} onGiven={setConnection} />
      </Frame>
    )
  return (
    <Frame current={place.view === 'store' ? 'store' : 'look-up'} api={config.api}>
      {/* Kept while another view is open: a store continues, and its form keeps what was typed. */}
      <div class="main-part" hidden={place.view !== 'store'}>
        <StoreView connection={connection} isOpen={place.view === 'store'} focus={moved} />
      </div>
      {place.view !== 'store' && <LookUp place={place} focus={moved} />}
      {place.view === 'versions' && (
        <VersionsView key={formatPlace(place)} connection={connection} artifact={place.key} focus={moved} />
      )}
      {place.view === 'entry' && (
        <EntryView
          key={formatPlace(place)}
          connection={connection}
          artifact={place.ref}
          digest={place.digest}
          focus={moved}
          onDownload={downloads.add}
        />
      )}
      <Downloads {...downloads} api={config.api} />
    </Frame>
  )
}

/** A file that is dropped next to the field for files would replace the page, and end its transfers. */
function keepPageOnDrop(): () => void {
  const ignore = (event: Event) => event.preventDefault()
  const types = ['dragover', 'drop'] as const
  for (const type of types) addEventListener(type, ignore)
  return () => {
    for (const type of types) removeEventListener(type, ignore)
  }
}

/** @returns the place that the address names, and whether the person moved there from another place of the page. */
function usePlace(): [Located, boolean] {
  const [state, setState] = useState<[Located, boolean]>(() => [locate(), false])
  useEffect(() => {
    const update = () => setState([locate(), true])
    addEventListener('hashchange', update)
    return () => removeEventListener('hashchange', update)
  }, [])
  return state
}

function locate(): Located {
  try {
    return parsePlace(location.hash)
  } catch (error) {
    return { view: 'nowhere', text: fragmentText(location.hash), failure: describeFailure(error) }
  }
}

function titleOf(place: Located): string {
  switch (place.view) {
    case 'store':
      return 'Store – Bucket'
    case 'versions':
      return `${formatArtifactKey(place.key)} – Bucket`
    case 'entry':
      return `${formatRef(place.ref)} – Bucket`
    default:
      return 'Bucket'
  }
}
