/**
 * The whole service as one construct, for a stack of one's own: storage, ledger, two functions, the API, and its watch.
 * Everything that holds data outlives the stack; everything else can be made again.
 */
import { Key } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { Alarms } from './alarms.ts'
import { ApiFunction } from './api-function.ts'
import { BlobStorage } from './blob-storage.ts'
import { addDashboard } from './dashboard.ts'
import { LedgerTable } from './ledger-table.ts'
import { BucketApi } from './rest-api.ts'
import { type BucketServiceProps, readSettings } from './settings.ts'

/**
 * @example
 * new BucketService(this, 'Artifacts', { access: 'iam', breakGlassRoleArn, alarmTopicArn })
 */
export class BucketService extends Construct {
  readonly api: BucketApi
  readonly blobs: BlobStorage
  readonly ledger: LedgerTable
  readonly readFunction: ApiFunction
  readonly writeFunction: ApiFunction

  /** @throws SettingsError with every fault of `props` (docs/deployment.md, Settings). */
  constructor(scope: Construct, id: string, props: BucketServiceProps = {}) {
    super(scope, id)
    const settings = readSettings(props)
    const key = settings.kmsKeyArn === undefined ? undefined : Key.fromKeyArn(this, 'Key', settings.kmsKeyArn)

    const blobs = new BlobStorage(this, 'Blobs', { settings, key })
    const ledger = new LedgerTable(this, 'Ledger', { key })
    const shared = { settings, blobs, ledger, key }
    this.readFunction = new ApiFunction(this, 'Read', { ...shared, access: 'read' })
    this.writeFunction = new ApiFunction(this, 'Write', { ...shared, access: 'write' })
    const functions = { read: this.readFunction.function, write: this.writeFunction.function }
    this.api = new BucketApi(this, 'Api', { settings, functions })
    this.blobs = blobs
    this.ledger = ledger

    const { restApi, accessLog } = this.api
    const { alarms } = new Alarms(this, 'Alarms', {
      settings,
      restApi,
      accessLog,
      functions,
      table: ledger.table,
    })
    addDashboard(this, { restApi, functions, table: ledger.table, alarms })
  }
}
