#!/usr/bin/env node
/**
 * The command line: gives `lib/cli` its context and ends the process with its exit code. Each command loads
 * the modules that only it needs, so that the others start faster.
 */
import { closeSync, readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { setFlagsFromString } from 'node:v8'
import { SIGNAL_EXIT } from '../lib/cli/exit-codes.ts'
import { Interrupted } from '../lib/cli/failure.ts'
import { run } from '../lib/cli/run.ts'
import { errorCode } from '../lib/flow/error-code.ts'

// The AWS SDK reads this when a command loads it: its advice about Node versions is not for users of this program.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

// Transferred bytes become garbage at once, and V8 counts them against the limit of a heap with few live objects: it would mark the
// whole heap for every dozen MiB, which takes more than a third of the processor time (docs/benchmarks.md). This option sets the
// limit to four times the live heap.
setFlagsFromString('--heap-growing-percent=300')

const stopped = new AbortController()
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (signal === 'SIGHUP' && isDetachedServer()) return
    // A second signal ends the process without waiting.
    if (stopped.signal.aborted) process.exit(SIGNAL_EXIT[signal])
    stopped.abort(new Interrupted(signal))
  })

// If its terminal is gone, Node cannot restore the settings of the terminal and aborts (`ResetStdio` in its src/node.cc). It leaves closed
// descriptors alone.
const terminals = [0, 1, 2].filter(isatty)
process.once('exit', () => {
  for (const fd of terminals) if (!isatty(fd)) closeSync(fd)
})

// Each write reports a closed reader to its caller. Without a listener the same error event would end the process.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  stdin: () => process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stopped.signal,
  startServer: async (settings) => {
    const [{ startFront }, { jsonLines }] = await Promise.all([
      import('./serve.ts'),
      import('../lib/http/operation-log.ts'),
    ])
    const log = jsonLines(process.stderr)
    process.once('exit', log.flush)
    // The check ignores the mode of the folder: a user who can read its files can read every artifact.
    if (settings.store === 'local') process.umask(0o077)
    return await startFront(settings, readVersion(), log)
  },
  probeStores: async (settings) => {
    const { probeAws } = await import('./aws-stores.ts')
    return await probeAws(settings)
  },
  checkFolder: async (dataDir, check) => {
    const { checkFolder } = await import('../lib/local/folder-check.ts')
    return await checkFolder(dataDir, check)
  },
  dataFolder: () => import('../lib/local/data-folder-tools.ts'),
  runMcp: async (bucket, settings) => {
    const { runMcp } = await import('./mcp.ts')
    await runMcp(bucket, settings, readVersion())
  },
  readDocument: async (path) => {
    const { readDocument } = await import('./documents.ts')
    return await readDocument(path)
  },
  version: readVersion(),
})
// An open stdin or a keep-alive connection would keep the process running.
process.exit(exitCode)

/** `nohup bucket serve &` outlives its terminal. Node resets the signal that nohup ignores, so the absence of a terminal decides. */
function isDetachedServer(): boolean {
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  return process.argv[2] === 'serve' && !hasTerminal
}

/** From the package's manifest, which is next to `bin/` in a checkout, and next to `dist/` in the package. */
function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
  return 'unknown'
}
