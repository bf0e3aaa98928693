#!/usr/bin/env node
/**
 * The command line: gives `lib/cli` its context and ends the process with its exit code. What only one command
 * needs is loaded by that command, so that the others start without it.
 */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { SIGNAL_EXIT } from '../lib/cli/exit-codes.ts'
import { Interrupted } from '../lib/cli/failure.ts'
import { run } from '../lib/cli/run.ts'

// Read by the AWS SDK, where a command loads it: its advice about Node versions is not for users of this program.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

// Bytes that pass through are garbage at once, and count against what V8 grants a heap of few live objects: it would mark the
// whole heap for every dozen MiB, which is more than a third of the processor's time (docs/benchmarks.md). This grants four
// times what lives.
setFlagsFromString('--heap-growing-percent=300')

const stopped = new AbortController()
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    // Who asks twice does not want to wait.
    if (stopped.signal.aborted) process.exit(SIGNAL_EXIT[signal])
    stopped.abort(new Interrupted(signal))
  })

// A reader that is gone is told of by each write; as an event that nobody listens to it would end the process in the middle.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  stdin: () => process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stopped.signal,
  startServer: async (settings) => {
    const { startFront } = await import('./serve.ts')
    return await startFront(settings, process.env)
  },
  checkFolder: async (dataDir, check) => {
    const { checkFolder } = await import('../lib/local/folder-check.ts')
    return await checkFolder(dataDir, check)
  },
  version: readVersion(),
})
// An open stdin or a connection kept for later would hold the process.
process.exit(exitCode)

/** From the package's own manifest, which is beside `bin/` in a checkout and above `dist/` in the package. */
function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  return 'unknown'
}
