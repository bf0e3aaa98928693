/**
 * The whole service as one construct, for use in your own stack: storage, ledger, uploads, three functions, the API, alarms
 * and a dashboard. Everything that holds data outlives the stack; everything else can be recreated.
 */
import { Annotations, Stack, Token } from 'aws-cdk-lib'
import { Key } from 'aws-cdk-lib/aws-kms'
import { RegionInfo } from 'aws-cdk-lib/region-info'
import { Construct } from 'constructs'
import { Alarms } from './alarms.ts'
import { BlobStorage } from './blob-storage.ts'
import { CanaryRelease } from './canary-release.ts'
import { addDashboard } from './dashboard.ts'
import { HealthProbe } from './health-probe.ts'
import { LedgerTable } from './ledger-table.ts'
import { readSettings, SettingsError } from './read-settings.ts'
import { BucketApi } from './rest-api.ts'
import { ServiceFunction } from './service-function.ts'
import { serviceName } from './service-name.ts'
import type { BucketServiceProps, Settings } from './settings.ts'
import { StagingStorage } from './staging-storage.ts'
import { UploadsTable } from './uploads-table.ts'
import { PARTITIONS } from './validators.ts'
import { VerificationQueues } from './verification-queue.ts'

/**
 * @example
 * new BucketService(this, 'Artifacts', { access: 'iam', breakGlassRoleArn, alarmTopicArn })
 */
export class BucketService extends Construct {
  /** `api.url` is the URL for clients; with `access: 'iam'`, callers need `execute-api:Invoke` on `api.restApi`. */
  readonly api: BucketApi
  /** Outlives the stack; nothing in it is ever deleted or replaced. */
  readonly blobs: BlobStorage
  /** Outlives the stack and can be restored to any second of the last 35 days. */
  readonly ledger: LedgerTable
  /** The parts of open uploads; its contents expire. */
  readonly staging: StagingStorage
  readonly uploads: UploadsTable
  /** Committed uploads that wait for `verifyFunction`, and the dead-letter queue of those that kept failing. */
  readonly queue: VerificationQueues
  readonly readFunction: ServiceFunction
  readonly writeFunction: ServiceFunction
  readonly verifyFunction: ServiceFunction

  /** @throws SettingsError with every error in `props` (docs/deployment.md, Settings). */
  constructor(scope: Construct, id: string, props: BucketServiceProps = {}) {
    super(scope, id)
    const settings = readSettings(props)
    checkPartition(this)
    warnAbout(settings, this)
    const key = settings.kmsKeyArn === undefined ? undefined : Key.fromKeyArn(this, 'Key', settings.kmsKeyArn)

    const blobs = new BlobStorage(this, 'Blobs', { settings, key })
    const ledger = new LedgerTable(this, 'Ledger', { settings, key })
    const staging = new StagingStorage(this, 'Staging', { settings, key })
    const uploads = new UploadsTable(this, 'Uploads', { key })
    const queue = new VerificationQueues(this, 'Verification', { key })
    const parts = { settings, blobs, staging, ledger, uploads, queue, key }
    this.readFunction = new ServiceFunction(this, 'Read', { ...parts, side: 'read' })
    this.writeFunction = new ServiceFunction(this, 'Write', { ...parts, side: 'write' })
    this.verifyFunction = new ServiceFunction(this, 'Verify', { ...parts, side: 'verify' })
    const writers = [this.writeFunction, this.verifyFunction].map(({ role }) => role.roleArn)
    blobs.protect([...writers, ...settings.writerRoleArns], settings)
    queue.feed(this.verifyFunction.invoked, this.verifyFunction.policy, settings)
    const invoked = { read: this.readFunction.invoked, write: this.writeFunction.invoked }
    this.api = new BucketApi(this, 'Api', { settings, key, functions: invoked })
    this.blobs = blobs
    this.ledger = ledger
    this.staging = staging
    this.uploads = uploads
    this.queue = queue

    const { restApi, accessLog } = this.api
    const functions = {
      read: this.readFunction.function,
      write: this.writeFunction.function,
      verify: this.verifyFunction.function,
    }
    const watched = { restApi, functions, ledger: ledger.table, uploads: uploads.table, queue }
    const probe = settings.healthProbe
      ? new HealthProbe(this, 'Probe', { settings, key, api: this.api }).function
      : undefined
    const { alarms, endingReleases } = new Alarms(this, 'Alarms', {
      ...watched,
      settings,
      probe,
      accessLog,
      verifyLog: this.verifyFunction.logGroup,
    })
    addDashboard(this, { ...watched, service: serviceName(this.api), alarms })
    const { canaryMinutes: minutes, readOnly } = settings
    const [Read, Write, Verify] = [this.readFunction, this.writeFunction, this.verifyFunction].map(
      ({ alias }) => alias,
    )
    if (minutes && Read && Write && Verify)
      new CanaryRelease(this, 'Releases', {
        ...{ minutes, readOnly, aliases: { Read, Write, Verify }, alarms: endingReleases },
      })
  }
}

/** @throws SettingsError for a stack in a region of an unsupported partition. A region that is unknown at synth passes. */
function checkPartition(scope: Construct): void {
  const { region } = Stack.of(scope)
  const partition = Token.isUnresolved(region) ? undefined : RegionInfo.get(region).partition
  if (partition !== undefined && !PARTITIONS.some((supported) => supported === partition))
    throw new SettingsError([
      `the region ${region} is in the partition ${partition}; supported partitions: ${PARTITIONS.join(', ')}`,
    ])
}

/** Warns about defaults that the deployer should decide. An explicit setting removes the warning. */
function warnAbout({ alarmTopicArn, gatewayLogRole, emulatorUrl }: Settings, scope: Construct): void {
  if (emulatorUrl !== undefined) return
  if (alarmTopicArn === undefined)
    Annotations.of(scope).addWarningV2(
      'bucket:no-alarm-topic',
      'alarmTopicArn is not set, so alarms notify no one. Set it to the ARN of an SNS topic.',
    )
  if (gatewayLogRole === undefined)
    Annotations.of(scope).addWarningV2(
      'bucket:gateway-log-role',
      'This stack replaces the role with which all REST APIs of this account and region write logs. Set gatewayLogRole=true to agree, or gatewayLogRole=false if the account has such a role.',
    )
}
