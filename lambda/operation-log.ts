/**
 * The operation log of a Lambda: one line of JSON per operation on stdout, which the runtime passes on unchanged.
 * `console` would wrap the line in another object.
 */
import type { MessageRecord } from '../lib/aws/sqs-messages.ts'
import type { OperationRecord } from '../lib/http/request-context.ts'
import { withMetrics } from './metrics.ts'

/** @param service the dimension of the metrics in the lines. */
export const operationLog =
  (service: string) =>
  (record: OperationRecord | MessageRecord): void => {
    process.stdout.write(`${JSON.stringify(withMetrics(record, service))}\n`)
  }
