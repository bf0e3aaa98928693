/**
 * The whole service as one construct, for use in your own stack: storage, ledger, uploads, three functions, the API, alarms
 * and a dashboard. Everything that holds data outlives the stack; everything else can be recreated.
 */
import { Key } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { Alarms } from './alarms.ts'
import { BlobStorage } from './blob-storage.ts'
import { addDashboard } from './dashboard.ts'
import { LedgerTable } from './ledger-table.ts'
import { BucketApi } from './rest-api.ts'
import { ServiceFunction } from './service-function.ts'
import { type BucketServiceProps, readSettings } from './settings.ts'
import { StagingStorage } from './staging-storage.ts'
import { UploadsTable } from './uploads-table.ts'
import { VerificationQueue } from './verification-queue.ts'

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
  readonly queue: VerificationQueue
  readonly readFunction: ServiceFunction
  readonly writeFunction: ServiceFunction
  readonly verifyFunction: ServiceFunction

  /** @throws SettingsError with every error in `props` (docs/deployment.md, Settings). */
  constructor(scope: Construct, id: string, props: BucketServiceProps = {}) {
    super(scope, id)
    const settings = readSettings(props)
    const key = settings.kmsKeyArn === undefined ? undefined : Key.fromKeyArn(this, 'Key', settings.kmsKeyArn)

    const blobs = new BlobStorage(this, 'Blobs', { settings, key })
    const ledger = new LedgerTable(this, 'Ledger', { key })
    const staging = new StagingStorage(this, 'Staging', { settings, key })
    const uploads = new UploadsTable(this, 'Uploads', { key })
    const queue = new VerificationQueue(this, 'Verification', { key })
    const parts = { settings, blobs, staging, ledger, uploads, queue, key }
    this.readFunction = new ServiceFunction(this, 'Read', { ...parts, side: 'read' })
    this.writeFunction = new ServiceFunction(this, 'Write', { ...parts, side: 'write' })
    this.verifyFunction = new ServiceFunction(this, 'Verify', { ...parts, side: 'verify' })
    queue.feed(this.verifyFunction.function, this.verifyFunction.policy, settings)
    const apiFunctions = { read: this.readFunction.function, write: this.writeFunction.function }
    this.api = new BucketApi(this, 'Api', { settings, functions: apiFunctions })
    this.blobs = blobs
    this.ledger = ledger
    this.staging = staging
    this.uploads = uploads
    this.queue = queue

    const { restApi, accessLog } = this.api
    const functions = { ...apiFunctions, verify: this.verifyFunction.function }
    const watched = { restApi, functions, ledger: ledger.table, uploads: uploads.table, queue }
    const { alarms } = new Alarms(this, 'Alarms', { ...watched, settings, accessLog })
    addDashboard(this, { ...watched, alarms })
  }
}
