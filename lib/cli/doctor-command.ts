/** `bucket doctor`: looks at everything between this machine and a Bucket, and says what is wrong. It stores nothing. */
import type { Command } from 'commander'
import type { BucketClient } from '../client/node.ts'
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
import {
  authKind,
  type ChosenConnection,
  type ConnectionOptions,
  chooseConnection,
  connectTo,
  withConnection,
} from './connection.ts'
import type { CliContext } from './context.ts'
import { ExitError } from './failure.ts'
import { createOutput, type OutputOptions, withOutput } from './output.ts'
import { formatDuration, formatSize } from './sizes.ts'

type DoctorOptions = ConnectionOptions & OutputOptions

export function addDoctorCommand(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .description('check versions, settings, credentials, the way to the server, and the clock')
    .addHelpText(
      'after',
      `
Prints no secrets and stores nothing. Exits with 0 if everything is well, else with the code of the first failure.

Examples:
  bucket doctor
  bucket doctor --profile staging --json`,
    )
    .action((options: DoctorOptions) => doctor(options, context))
  withOutput(withConnection(command))
}

interface Finding {
  readonly check: string
  readonly state: 'ok' | 'note' | 'failed'
  readonly detail: string
  /** The remedy. */
  readonly next?: string
  readonly exit?: number
}

/** A request that AWS gets this much too early or too late is refused (signature version 4). */
const MOST_SKEW_MS = 5 * 60_000
/** `Date` has whole seconds, and the response takes its time. */
const NOTED_SKEW_MS = 5_000

async function doctor(options: DoctorOptions, context: CliContext): Promise<void> {
  const output = createOutput(options, context)
  const findings: Finding[] = []
  const chosen = await chooseConnection(options, context)
  let skewMs = Number.NaN
  const bucket = await attempt(findings, 'settings', () =>
    connectTo(chosen, context, {
      onEvent(event) {
        if (event.kind === 'response') skewMs = Date.now() - event.serverTime
        output.onEvent(event)
      },
    }),
  )
  findings.unshift(versions(context), configuration(chosen))
  if (bucket) {
    findings.push(
      address(bucket, chosen),
      await proxy(bucket, context),
      await credentials(bucket, chosen, context),
    )
    const service = await attempt(findings, 'server', () => bucket.service(context))
    if (service) {
      const { maxArtifactBytes } = service.limits
      findings.push({
        check: 'server',
        state: 'ok',
        detail: `it answers, and accepts artifacts up to ${formatSize(maxArtifactBytes)}`,
      })
      const read = await attempt(findings, 'access', () => bucket.check(['doctor/doctor/doctor'], context))
      if (read) findings.push({ check: 'access', state: 'ok', detail: 'you may read' })
    }
    if (!Number.isNaN(skewMs)) findings.push(clock(skewMs))
  }
  const lines = findings.map(
    ({ check, state, detail, next }) =>
      `${state.padEnd(6)}  ${check.padEnd(13)}  ${detail}\n${next ? `${' '.repeat(23)}next: ${next}\n` : ''}`,
  )
  await output.result(lines.join(''), {
    checks: findings.map(({ check, state, detail, next }) => ({ check, state, detail, next: next ?? null })),
  })
  output.close()
  const failed = findings.find(({ state }) => state === 'failed')
  if (failed) throw new ExitError(failed.exit ?? 1)
}

/** @returns undefined after a failure, which becomes a finding. */
async function attempt<T>(findings: Finding[], check: string, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    const { describeFailure } = await import('./failure-text.ts')
    const { what, why, next, exit } = describeFailure(error)
    findings.push({ check, state: 'failed', detail: `${what}: ${why.join('; ')}`, next, exit })
    return undefined
  }
}

const versions = ({ version }: CliContext): Finding => ({
  check: 'versions',
  state: 'ok',
  detail: `bucket ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
})

function configuration({ reader: { file, profile } }: ChosenConnection): Finding {
  const names = [...file.profiles.keys()]
  const profiles = names.length > 0 ? `profiles: ${names.join(', ')}` : 'no profiles'
  return {
    check: 'configuration',
    state: 'ok',
    detail: file.exists
      ? `${file.path} (${profiles})${profile === undefined ? '' : `, profile ${profile}`}`
      : `none at ${file.path}`,
  }
}

const address = ({ url }: BucketClient, chosen: ChosenConnection): Finding => ({
  check: 'address',
  state: 'ok',
  detail: `${url} (${chosen.url?.from ?? 'default'})`,
})

async function proxy({ url }: BucketClient, { environment }: CliContext): Promise<Finding> {
  const { proxyFor } = await import('../client/node.ts')
  const found = proxyFor(new URL(url), environment)
  // Its address may hold a password.
  return { check: 'proxy', state: 'ok', detail: found ? found.origin : 'none for this address' }
}

async function credentials(
  { url }: BucketClient,
  { auth, region }: ChosenConnection,
  { environment }: CliContext,
): Promise<Finding> {
  const apiKey = environment[CLI_ENVIRONMENT.apiKey] ? `, and ${CLI_ENVIRONMENT.apiKey} is set` : ''
  const check = 'credentials'
  const kind = authKind(url, auth)
  if (kind !== 'iam') {
    const secrets: Readonly<Record<string, string>> = {
      none: 'none are sent',
      bearer: `bearer: ${CLI_ENVIRONMENT.token} is set`,
    }
    return { check, state: 'ok', detail: `${secrets[kind] ?? kind}${apiKey}` }
  }
  const { awsCredentialSource } = await import('../client/node.ts')
  const findings: Finding[] = []
  const found = await attempt(findings, check, async () => await (await awsCredentialSource())())
  const [failure] = findings
  if (failure) return failure
  const id = found?.accessKeyId ?? ''
  const where = region ? `, region ${region.value} (${region.from})` : ''
  return { check, state: 'ok', detail: `iam: access key ${id.slice(0, 4)}…${id.slice(-4)}${where}${apiKey}` }
}

function clock(skewMs: number): Finding {
  const amount = Math.abs(skewMs)
  if (amount < NOTED_SKEW_MS) return { check: 'clock', state: 'ok', detail: 'it agrees with the server' }
  return {
    check: 'clock',
    state: amount < MOST_SKEW_MS ? 'note' : 'failed',
    detail: `this machine is ${formatDuration(amount / 1000)} ${skewMs > 0 ? 'ahead of' : 'behind'} the server`,
    next: 'Set the clock of this machine (NTP). Requests under iam are signed with the time of the server meanwhile.',
    exit: 1,
  }
}
