/** The one place that reads what DynamoDB threw: a lost condition means something, everything else is `unavailable`. */
import { type AttributeValue, ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { serviceFailure } from './sdk-failure.ts'

/** The condition of a write did not hold; `item` is the row that stood in its way, where DynamoDB sent it (`ALL_OLD`). */
export interface LostCondition {
  readonly item: Record<string, AttributeValue> | undefined
  /** How often the SDK sent the call: beyond the first, it may have met its own write. */
  readonly tries: number
}

export const lostCondition = (error: unknown): LostCondition | undefined =>
  error instanceof ConditionalCheckFailedException
    ? { item: error.Item, tries: error.$metadata.attempts ?? 1 }
    : undefined

/** Throws what a failed call means; `doing` says what did not happen: `the ledger could not be read`. */
export const failed =
  (doing: string) =>
  (error: unknown): never => {
    throw serviceFailure(error, doing)
  }
