/** The conditions of DynamoDB that the stand-in supports: those that Bucket writes, and no others. */

export type Item = Record<string, { S?: string; N?: string }>

interface Conditional {
  readonly ConditionExpression?: string
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>
  readonly ExpressionAttributeValues?: Item
}

/** The two conditions that Bucket writes: the row is absent, or some attributes are as they were. */
export function holds(
  { ConditionExpression, ExpressionAttributeNames = {}, ExpressionAttributeValues = {} }: Conditional,
  row: Item | undefined,
): boolean {
  if (ConditionExpression === undefined) return true
  if (ConditionExpression === 'attribute_not_exists(pk)') return row === undefined
  return ConditionExpression.split(' AND ').every((equation) => {
    const [name = '', value = ''] = equation.split(' = ')
    const [expected, found] = [
      ExpressionAttributeValues[value],
      row?.[ExpressionAttributeNames[name] ?? name],
    ]
    return found !== undefined && expected?.S === found.S && expected?.N === found.N
  })
}
