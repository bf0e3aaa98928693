/** Starts the API page. Its document is built with the page, so that it needs no credentials. */
import { render } from 'preact'
import type { ApiDocument } from './api-document.ts'
import { ApiView } from './api-view.tsx'
import { ConfigError, loadConfig } from './connection.ts'
import { describeFailure } from './failure.ts'
import { FailureCard } from './failure-card.tsx'
import { Frame } from './frame.tsx'

async function start(): Promise<void> {
  const config = await loadConfig(document.baseURI)
  const response = await fetch('openapi.json')
  if (!response.ok) throw new ConfigError(`openapi.json cannot be loaded: status ${response.status}`)
  const document_: ApiDocument = await response.json()
  render(
    <Frame current="api" api={config.api}>
      <ApiView document={document_} api={config.api} />
    </Frame>,
    document.body,
  )
  // The target of a link into the page is there only now.
  document.getElementById(location.hash.slice(1))?.scrollIntoView()
}

start().catch((error: unknown) =>
  render(
    <main class="main">
      <FailureCard failure={describeFailure(error)} isPage />
    </main>,
    document.body,
  ),
)
