/** The frame of every view: the bar at the top and the line at the bottom. */
import type { ComponentChildren } from 'preact'
import { BucketSymbol } from './parts.tsx'

export type Section = 'look-up' | 'store' | 'api'

interface Props {
  readonly current: Section
  /** The root of the API, absolute. */
  readonly api: string
  readonly children: ComponentChildren
}

export function Frame({ current, api, children }: Props) {
  // A fragment alone never loads the page again, which would end its transfers.
  const home = current === 'api' ? './' : ''
  const links = [
    ['look-up', `${home}#`, 'Look up'],
    ['store', `${home}#/store`, 'Store'],
    ['api', 'docs.html', 'API'],
  ] as const
  return (
    <>
      <header class="top">
        <div>
          <a class="brand" href={`${home}#`}>
            <BucketSymbol />
            Bucket
          </a>
          <nav aria-label="Pages">
            {links.map(([section, href, text]) => (
              <a key={section} href={href} {...(section === current && { 'aria-current': 'page' as const })}>
                {text}
              </a>
            ))}
            <a href={`${api}/problems`}>Problems</a>
          </nav>
        </div>
      </header>
      <main class="main">{children}</main>
      <footer class="foot">
        <p>
          Bucket API at <code>{api}</code>. Bytes are verified by SHA-256 on the way in and out, and a stored
          version never changes.
        </p>
      </footer>
    </>
  )
}
