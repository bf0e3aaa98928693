/**
 * The queue of verifications and its dead-letter queue. Both feed the verifier: it verifies messages of the first and fails the
 * uploads of the second, so that no upload stays `verifying` permanently.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct, type IDependable } from 'constructs'
import { UPLOAD_SECONDS } from '../domain/limits.ts'
import { acknowledge } from './acknowledge.ts'
import type { Settings } from './settings.ts'
import { TIMEOUT_SECONDS } from './timeouts.ts'

/**
 * Longer than the verifier runs, and the time after which another one replaces a verifier that was killed. AWS recommends six
 * times the function's timeout against double deliveries; these are harmless here, because the upload's row has the state.
 */
const VISIBILITY = Duration.seconds(TIMEOUT_SECONDS.verify + 300)
/** With the pauses between them, this bridges an outage of half an hour. */
const DELIVERIES = 8
/** A message is useful while its upload lives after its commit. Dead letters stay for SQS's maximum. */
const RETENTION = { queue: Duration.seconds(UPLOAD_SECONDS), deadLetters: Duration.days(14) }

export interface VerificationQueueProps {
  /** Customer-managed; undefined means the key that AWS manages. */
  readonly key: IKey | undefined
}

/** Both queues, encrypted and TLS only. They are deleted with their stack; clients restart lost uploads. */
export class VerificationQueues extends Construct {
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
    if (key === undefined)
      for (const queue of [this.queue, this.deadLetters])
        acknowledge(queue, {
          CKV_AWS_27: 'SQS encrypts with its own key (SSE-SQS); the setting kmsKeyArn replaces it.',
        })
  }

  /**
   * Delivers messages to the verifier, one verification per invocation, so that each can use the function's whole time.
   *
   * @param permissions what Lambda checks when it creates the event source mapping: the verifier's policy.
   */
  feed(verifier: IFunction, permissions: IDependable, { verifyConcurrency, readOnly }: Settings): void {
    const mappings = {
      Queue: {
        eventSourceArn: this.queue.queueArn,
        batchSize: 1,
        maxConcurrency: verifyConcurrency,
      },
      DeadLetters: { eventSourceArn: this.deadLetters.queueArn, batchSize: 10 },
    }
    for (const [id, mapping] of Object.entries(mappings))
      verifier
        .addEventSourceMapping(id, { ...mapping, enabled: !readOnly, reportBatchItemFailures: true })
        .node.addDependency(permissions)
  }
}
