/** The one error of DynamoDB that has a meaning: a failed condition. Every other one is `unavailable` (sdk-failure.ts). */
import { type AttributeValue, ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'

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
