/** The one place that interprets DynamoDB's errors: a failed condition has a meaning, everything else is `unavailable`. */
import { type AttributeValue, ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { serviceFailure } from './sdk-failure.ts'

/** The condition of a write did not hold. */
export interface ConditionFailure {
  /** The existing row, if there is one and the call asked for it (`ALL_OLD`). */
  readonly item: Record<string, AttributeValue> | undefined
  /** How often the SDK sent the call. After the first attempt, the row may be the call's own. */
  readonly attempts: number
}

export const conditionFailure = (error: unknown): ConditionFailure | undefined =>
  error instanceof ConditionalCheckFailedException
    ? { item: error.Item, attempts: error.$metadata.attempts ?? 1 }
    : undefined

/** Throws what a failed call means; `action` says what failed: `the ledger could not be read`. */
export const failed =
  (action: string) =>
  (error: unknown): never => {
    throw serviceFailure(error, action)
  }
