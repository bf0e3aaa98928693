/** Starts the page. */
import { render } from 'preact'
import { App } from './app.tsx'
import { loadConfig } from './connection.ts'
import { describeFailure } from './failure.ts'
import { FailureCard } from './failure-card.tsx'

loadConfig(document.baseURI).then(
  (config) => render(<App config={config} />, document.body),
  (error: unknown) =>
    render(
      <main class="main">
        <FailureCard failure={describeFailure(error)} isPage />
      </main>,
      document.body,
    ),
)
