/**
 * The operation log of a Lambda: one line of JSON per operation on stdout, which the runtime passes on unchanged.
 * `console` would wrap the line in another object.
 */
import type { MessageRecord } from '../lib/aws/sqs-messages.ts'
import { encodeRecord } from '../lib/http/operation-log.ts'
import type { OperationRecord } from '../lib/http/request-context.ts'
import { metricsOf } from './metrics.ts'

/** @param service the dimension of the metrics in the lines. */
export const operationLog =
  (service: string) =>
  (record: OperationRecord | MessageRecord): void => {
    process.stdout.write(`${JSON.stringify(lineOf(record, service))}\n`)
  }

/** @returns the members of a line: those of its record, and its metrics. */
export const lineOf = (
  record: OperationRecord | MessageRecord,
  service: string,
): Record<string, unknown> => ({
  ...encodeRecord(record),
  ...metricsOf(record, service),
})
