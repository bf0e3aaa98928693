/** Attributes of DynamoDB rows, typed by hand: no marshaller decides what an empty string or a large number becomes. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'

export type Row = Record<string, AttributeValue>

export const string = (value: string): AttributeValue => ({ S: value })
export const number = (value: number): AttributeValue => ({ N: String(value) })

/** No attribute at all where there is no value: a table has no null. */
export const optional = (name: string, value: string | null): Row =>
  value === null ? {} : { [name]: string(value) }

/** How the rows of one table are read. Each throws an Error when the attribute is none that `lib/aws` wrote. */
export interface RowReader {
  text(row: Row, name: string): string
  /** Null where there is no such attribute. */
  optionalText(row: Row, name: string): string | null
  /** A whole number that is exact. */
  count(row: Row, name: string): number
  oneOf<const T extends string>(row: Row, name: string, choices: readonly T[]): T
}

/** @param table for the message: `the ledger`. */
export function rowReader(table: string): RowReader {
  const broken = (name: string): never => {
    throw new Error(`a row of ${table} has no ${name}`)
  }
  const text = (row: Row, name: string) => row[name]?.S ?? broken(name)
  return {
    text,
    optionalText: (row, name) => row[name]?.S ?? null,
    count(row, name) {
      const value = Number(row[name]?.N ?? broken(name))
      return Number.isSafeInteger(value) ? value : broken(name)
    },
    oneOf: (row, name, choices) => choices.find((choice) => choice === text(row, name)) ?? broken(name),
  }
}
