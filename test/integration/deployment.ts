/**
 * The real stack, deployed to an emulator with the CDK's command line, as users do it. `access` is `none`, because no emulator
 * checks the signatures of callers; test/infra asserts the effect of the other choices on the template.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT } from './emulator.ts'
import type { Deployment } from './given.ts'
import { run } from './processes.ts'

const STACK = 'Bucket'
const LIMIT_MS = 240_000

export interface CdkOptions {
  /** The sources that are deployed. */
  readonly project: string
  /** A folder of this run, for the log and the outputs. */
  readonly work: string
  readonly env: NodeJS.ProcessEnv
  /** Further settings, as `name=value`. */
  readonly settings?: readonly string[]
}

async function cdk({ project, work, env }: CdkOptions, args: readonly string[]): Promise<void> {
  const cli = join(PROJECT, 'node_modules', 'aws-cdk', 'bin', 'cdk')
  await run(process.execPath, [cli, ...args], LIMIT_MS, {
    cwd: project,
    // `npm run lint:template` validates the template, which takes longer than the rest of a synthesis.
    env: { ...env, CDK_VALIDATION: 'false' },
    output: { file: join(work, 'cdk.log') },
  })
}

/** Two emulators may run side by side, and the CDK locks the folder in which it synthesizes. */
const ownFolder = ({ work }: CdkOptions) => ['--output', join(work, 'cdk.out')]

export const bootstrap = (options: CdkOptions): Promise<void> =>
  cdk(options, ['bootstrap', 'aws://000000000000/us-east-1', ...ownFolder(options)])

const stack = (options: CdkOptions) => [STACK, ...ownFolder(options)]
/** Without termination protection, so that the suite of `cdk destroy` can delete the stack. */
const context = ({ env, settings = [] }: CdkOptions) =>
  ['access=none', 'terminationProtection=false', `emulatorUrl=${env.AWS_ENDPOINT_URL}`, ...settings].flatMap(
    (setting) => ['--context', setting],
  )

/** Deploys, or deploys again. */
export async function deploy(options: CdkOptions): Promise<Deployment> {
  const outputsFile = join(options.work, 'outputs.json')
  const quietly = ['--require-approval', 'never', '--progress', 'events', '--outputs-file', outputsFile]
  await cdk(options, ['deploy', ...stack(options), ...context(options), ...quietly])
  const outputs: Record<string, string> = JSON.parse(readFileSync(outputsFile, 'utf8'))[STACK] ?? {}
  const output = (name: string): string => {
    const value = outputs[name]
    if (value === undefined) throw new Error(`the stack has no output ${name}: ${JSON.stringify(outputs)}`)
    return value
  }
  return {
    apiRoot: output('ApiUrl'),
    blobBucket: output('BlobBucketName'),
    stagingBucket: output('StagingBucketName'),
    ledgerTable: output('LedgerTableName'),
    uploadsTable: output('UploadsTableName'),
    queueUrl: output('VerificationQueueUrl'),
    deadLetterQueueUrl: output('DeadLetterQueueUrl'),
  }
}

export const destroy = (options: CdkOptions): Promise<void> =>
  cdk(options, ['destroy', ...stack(options), ...context(options), '--force'])

/** A title that occurs only in the functions: in the sources, and in the changed sources. */
export const TITLE = {
  file: 'lib/protocol/problem-texts.ts',
  before: 'This version is not stored',
  after: 'This version is not stored here',
} as const

/** A copy of the project's sources with another title for `version_not_found`, which makes the change of a release visible. */
export function changedProject(work: string): string {
  const copy = join(work, 'changed')
  mkdirSync(copy)
  for (const part of [
    'bin',
    'lambda',
    'lib',
    'cdk.json',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
  ])
    cpSync(join(PROJECT, part), join(copy, part), { recursive: true })
  symlinkSync(join(PROJECT, 'node_modules'), join(copy, 'node_modules'))
  const file = join(copy, TITLE.file)
  const before = readFileSync(file, 'utf8')
  const after = before.replace(`'${TITLE.before}'`, `'${TITLE.after}'`)
  if (after === before) throw new Error(`${TITLE.file} has no title '${TITLE.before}' any more`)
  writeFileSync(file, after)
  return copy
}
