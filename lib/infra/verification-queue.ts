/**
 * The queue of verifications, and the one for those that kept failing: nothing is dropped in silence. Both feed the verifier,
 * which does the first and gives the second up, so that their uploads end as `failed` instead of staying as they are.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { UPLOAD_SECONDS } from '../domain/limits.ts'
import { type ServiceFunction, TIMEOUT_SECONDS } from './service-function.ts'
import type { Settings } from './settings.ts'

/**
 * Longer than the verifier runs. Not the six times that AWS advises against double deliveries, which harm nothing here: the row
 * of the upload decides. A verifier that was killed is replaced after this time.
 */
const VISIBILITY = Duration.seconds(TIMEOUT_SECONDS.verify + 300)
/** With the pauses between them, half an hour of a service that fails all the time. */
const DELIVERIES = 8
/** A message is of use as long as its upload lives from its commit on; what could not even be given up is kept as long as SQS can. */
const RETENTION = { queue: Duration.seconds(UPLOAD_SECONDS), deadLetters: Duration.days(14) }

export interface VerificationQueueProps {
  /** Of the customer; the service's own where there is none. */
  readonly key: IKey | undefined
}

/** Both queues, encrypted and over TLS only. They go with their stack: uploads are begun anew. */
export class VerificationQueue extends Construct {
  readonly queue: Queue
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, { key }: VerificationQueueProps) {
    super(scope, id)
    const shared = {
      ...(key
        ? { encryption: QueueEncryption.KMS, encryptionMasterKey: key, dataKeyReuse: Duration.hours(1) }
        : { encryption: QueueEncryption.SQS_MANAGED }),
      enforceSSL: true,
      visibilityTimeout: VISIBILITY,
      removalPolicy: RemovalPolicy.DESTROY,
    }
    this.deadLetters = new Queue(this, 'DeadLetters', { ...shared, retentionPeriod: RETENTION.deadLetters })
    this.queue = new Queue(this, 'Queue', {
      ...shared,
      retentionPeriod: RETENTION.queue,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: DELIVERIES },
    })
  }

  /** One verification to a call, so that each has all of the function's time. */
  feed(verifier: ServiceFunction, { verifyConcurrency }: Settings): void {
    const mappings = {
      Queue: {
        eventSourceArn: this.queue.queueArn,
        batchSize: 1,
        ...(verifyConcurrency === undefined ? {} : { maxConcurrency: verifyConcurrency }),
      },
      DeadLetters: { eventSourceArn: this.deadLetters.queueArn, batchSize: 10 },
    }
    for (const [id, mapping] of Object.entries(mappings))
      verifier.function
        .addEventSourceMapping(id, { ...mapping, reportBatchItemFailures: true })
        // Lambda looks at the role when the mapping is made.
        .node.addDependency(verifier.policy)
  }
}
