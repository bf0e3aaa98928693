/**
 * The CDK app: one stack, with settings from the context of cdk.json or `-c name=value`.
 * Synth needs no account and no network.
 */
import { App } from 'aws-cdk-lib'
import { BucketStack } from '../lib/infra/bucket-stack.ts'
import { readStackSettings, SettingsError } from '../lib/infra/read-settings.ts'

/** Context keys of the CDK contain a colon, a slash or a dash; our settings are plain words. */
const isSetting = (name: string) => /^[A-Za-z]+$/.test(name)

const app = new App()
const context: Record<string, unknown> = app.node.getAllContext()
try {
  const { stackName, ...settings } = readStackSettings(
    Object.fromEntries(Object.entries(context).filter(([name]) => isSetting(name))),
  )
  new BucketStack(app, stackName, settings)
} catch (error) {
  if (!(error instanceof SettingsError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
