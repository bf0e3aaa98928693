/**
 * `npm run lint:template`: synthesizes the stack in two configurations, and checks both templates with cfn-lint and checkov.
 * The resources state what they acknowledge, each with its reason (lib/infra/acknowledge.ts).
 * Exit status: 0 no findings, 1 findings, 2 this machine has no suitable Python.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROJECT } from '../integration/emulator.ts'
import { findPython, Missing } from '../integration/find-python.ts'
import { installed, keyOf } from '../integration/install-cache.ts'
import { CommandFailed, run } from '../integration/processes.ts'

const PINS = ['checkov==3.3.30', 'cfn-lint==1.58.0']
const LEAST_PYTHON_MINOR = 10
const INSTALL_MS = 240_000
const LIMIT_MS = 120_000
/** cfn-lint reports dependencies that the CDK adds although a reference already implies them. */
const IGNORED_BY_CFN_LINT = ['W3005']

const ACCOUNT = '123456789012'
const CONFIGURATIONS: Readonly<Record<string, readonly string[]>> = {
  probed: ['healthProbe=true'],
  full: [
    `kmsKeyArn=arn:aws:kms:eu-west-1:${ACCOUNT}:key/1b2c3d4e-0000-4000-8000-000000000000`,
    `breakGlassRoleArn=arn:aws:iam::${ACCOUNT}:role/break-glass`,
    'objectLockMode=governance',
    'objectLockDays=30',
    'storageClass=intelligent-tiering',
    'trustedReaders=210987654321,o-a1b2c3d4e5',
    'apiKey=true',
    'corsOrigins=https://app.example.com',
    'readConcurrency=10',
    'writeConcurrency=10',
    'canaryMinutes=15',
  ],
}

const output = 'inherit'

async function install(): Promise<string> {
  const python = await findPython(LEAST_PYTHON_MINOR)
  return installed(`template-lint-${await keyOf([], python, ...PINS)}`, async (folder) => {
    console.log(`installing ${PINS.join(' and ')} with ${python} (once)`)
    await run(python, ['-m', 'venv', join(folder, 'venv')], INSTALL_MS, { output })
    const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', ...PINS]
    await run(join(folder, 'venv', 'bin', 'python'), pip, INSTALL_MS, { output })
  })
}

/** @returns the path of the template. */
async function synthesize(name: string, settings: readonly string[], work: string): Promise<string> {
  const cli = join(PROJECT, 'node_modules', 'aws-cdk', 'bin', 'cdk')
  const context = [
    'gatewayLogRole=true',
    `alarmTopicArn=arn:aws:sns:eu-west-1:${ACCOUNT}:operators`,
    ...settings,
  ]
  const args = [cli, 'synth', '--quiet', '--output', join(work, name)]
  await run(process.execPath, [...args, ...context.flatMap((setting) => ['--context', setting])], LIMIT_MS, {
    cwd: PROJECT,
    output,
  })
  return join(work, name, 'Bucket.template.json')
}

async function main(work: string): Promise<void> {
  const bin = join(await install(), 'venv', 'bin')
  const templates: string[] = []
  for (const [name, settings] of Object.entries(CONFIGURATIONS))
    templates.push(await synthesize(name, settings, work))
  const cfnLint = ['--ignore-checks', ...IGNORED_BY_CFN_LINT, '--', ...templates]
  await run(join(bin, 'cfn-lint'), cfnLint, LIMIT_MS, { output })
  const checkov = ['--framework', 'cloudformation', '--compact', '--quiet', '--skip-download']
  await run(join(bin, 'checkov'), [...checkov, ...templates.flatMap((file) => ['--file', file])], LIMIT_MS, {
    output,
  })
  console.log(`cfn-lint and checkov have no findings in ${templates.length} templates`)
}

const work = await mkdtemp(join(tmpdir(), 'bucket-template-'))
try {
  await main(work)
} catch (error) {
  if (!(error instanceof Missing || error instanceof CommandFailed)) throw error
  console.error(error.message)
  process.exitCode = error instanceof Missing ? 2 : 1
} finally {
  await rm(work, { recursive: true, force: true })
}
