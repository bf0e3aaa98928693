/**
 * The operation log of a Lambda: one line of JSON per operation on stdout, where the runtime passes it on as it is.
 * Not `console`, which would wrap the line in another object.
 */
import type { MessageRecord } from '../lib/aws/sqs-messages.ts'
import type { OperationRecord } from '../lib/http/request-context.ts'

export const log = (record: OperationRecord | MessageRecord): void => {
  process.stdout.write(`${JSON.stringify(record)}\n`)
}
