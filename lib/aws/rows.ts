/**
 * Rows of DynamoDB tables, and the values that they hold. A codec has one column per member of its value, so a member without a
 * column does not compile. The members of a description need no column: they follow the table in `domain/description.ts`.
 */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { DESCRIPTION, DESCRIPTION_MEMBERS, type Description, describeWith } from '../domain/description.ts'

export type Row = Record<string, AttributeValue>

/** How a member becomes an attribute, and back. A table has no null: a member without a value has no attribute. */
export interface Column<T> {
  write(value: T): AttributeValue | undefined
  /** @returns undefined if no writer of ours can have written the attribute. */
  read(attribute: AttributeValue | undefined): T | undefined
}

export const string = (value: string): AttributeValue => ({ S: value })
export const number = (value: number): AttributeValue => ({ N: String(value) })

export const text = <T extends string = string>(): Column<T> => ({
  write: string,
  // Values were checked before they were written.
  read: (attribute) => attribute?.S as T | undefined,
})

export const optionalText: Column<string | null> = {
  write: (value) => (value === null ? undefined : string(value)),
  read: (attribute) => (attribute === undefined ? null : attribute.S),
}

/** A whole number that a double holds exactly. */
export const count: Column<number> = {
  write: number,
  read(attribute) {
    const value = Number(attribute?.N ?? Number.NaN)
    return Number.isSafeInteger(value) ? value : undefined
  },
}

export const oneOf = <T extends string>(...choices: readonly T[]): Column<T> => ({
  write: string,
  read: (attribute) => choices.find((choice) => choice === attribute?.S),
})

/** Members are written in snake case: `expiresAt` as `expires_at`. */
export const attributeName = (member: string): string =>
  member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The version of the format of a row. Rows from before there were versions have none, and the same attributes. */
const FORMAT = { attribute: 'format', current: 1 } as const

export interface RowCodec<T> {
  encode(value: T): Row
  /** @throws Error if the row is not one that this codec wrote: no result is better than a wrong one. */
  decode(row: Row): T
}

/** @param table for error messages: `the ledger`. */
export function rowCodec<T extends { readonly description: Description }>(
  table: string,
  columns: { readonly [M in Exclude<keyof T, 'description'>]-?: Column<T[M]> },
): RowCodec<T> {
  const own = Object.entries(columns) as readonly (readonly [string, Column<unknown>])[]
  const broken = (attribute: string): never => {
    throw new Error(`a row of ${table} is damaged: its attribute ${attribute} is missing or malformed`)
  }
  return {
    encode(value) {
      const members: Readonly<Record<string, unknown>> = value
      const row: Row = { [FORMAT.attribute]: number(FORMAT.current) }
      const set = (member: string, attribute: AttributeValue | undefined) => {
        if (attribute !== undefined) row[attributeName(member)] = attribute
      }
      for (const [member, column] of own) set(member, column.write(members[member]))
      for (const member of DESCRIPTION_MEMBERS) set(member, optionalText.write(value.description[member]))
      return row
    },
    decode(row) {
      const format = Number(row[FORMAT.attribute]?.N ?? FORMAT.current)
      if (format !== FORMAT.current)
        throw new Error(`a row of ${table} has format ${format}, which a newer version of Bucket wrote`)
      const members = own.map(([member, column]) => {
        const name = attributeName(member)
        const value = column.read(row[name])
        return [member, value === undefined ? broken(name) : value]
      })
      const description = describeWith((member) => {
        const name = attributeName(member)
        const isOptional = DESCRIPTION[member].absent === null
        return row[name]?.S ?? (row[name] === undefined && isOptional ? null : broken(name))
      })
      // Each member was read by the column of its name, and the columns are typed by the members.
      return { ...Object.fromEntries(members), description } as T
    },
  }
}
