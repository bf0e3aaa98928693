/** The DynamoDB part of the stand-in for AWS: rows by their key. It refuses a write whose condition does not hold. */
import { holds, type Item } from './dynamo-condition.ts'
import { type Answer, json, jsonRefusal } from './stand-in-answer.ts'

export type DynamoDbOperation = 'GetItem' | 'PutItem' | 'DeleteItem' | 'Query'

export interface DynamoInput {
  readonly TableName?: string
  readonly Key?: Item
  readonly Item?: Item
  readonly ConsistentRead?: boolean
  readonly ConditionExpression?: string
  readonly ReturnValuesOnConditionCheckFailure?: string
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>
  readonly ExpressionAttributeValues?: Item
  readonly ExclusiveStartKey?: Item
  readonly Limit?: number
}

const rowName = (table: string | undefined, key: Item | undefined) => `${table} ${key?.pk?.S} ${key?.sk?.S}`

export function dynamoDbAnswer(
  rows: Map<string, Item>,
  operation: DynamoDbOperation,
  input: DynamoInput,
): Answer {
  switch (operation) {
    case 'GetItem':
      return json({ Item: rows.get(rowName(input.TableName, input.Key)) })
    case 'PutItem':
    case 'DeleteItem': {
      const name = rowName(input.TableName, input.Item ?? input.Key)
      const existing = rows.get(name)
      if (!holds(input, existing))
        return json(
          {
            __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException',
            message: 'The conditional request failed',
            ...(input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && existing
              ? { Item: existing }
              : {}),
          },
          400,
        )
      if (operation === 'PutItem') rows.set(name, input.Item ?? {})
      else rows.delete(name)
      return json({})
    }
    case 'Query': {
      const artifact = input.ExpressionAttributeValues?.[':artifact']?.S
      const after = input.ExclusiveStartKey?.sk?.S ?? ''
      const found = [...rows]
        .filter(([name]) => name.startsWith(`${input.TableName} ${artifact} `))
        .map(([, row]) => row)
        .filter((row) => (row.sk?.S ?? '') > after)
        .sort((a, b) => ((a.sk?.S ?? '') < (b.sk?.S ?? '') ? -1 : 1))
      const page = found.slice(0, input.Limit)
      const last = page.at(-1)
      return json({
        Items: page,
        // DynamoDB too announces more when a page is exactly full.
        ...(last && page.length === input.Limit ? { LastEvaluatedKey: { pk: last.pk, sk: last.sk } } : {}),
      })
    }
    default:
      return jsonRefusal(501, 'NotImplemented')
  }
}
