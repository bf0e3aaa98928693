/** Encodes the records of the operation log, and writes them as JSON lines, many of them in one write when requests come fast. */

/** The names of members in lines, by the names of members in records: `durationMs` is `duration_ms`. */
const names = new Map<string, string>()

function nameOf(member: string): string {
  const known = names.get(member)
  if (known !== undefined) return known
  const name = member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  names.set(member, name)
  return name
}

/** @returns the members of the line for `record`: every record in the code is in camelCase, every line in snake_case. */
export function encodeRecord(record: object): Record<string, unknown> {
  const members: Record<string, unknown> = {}
  for (const [member, value] of Object.entries(record))
    members[nameOf(member)] = isMembers(value) ? encodeRecord(value) : value
  return members
}

/** A list of texts or numbers stays as it is. */
const isMembers = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @param stream where the lines go: stderr of a server, so that stdout stays free for its ready line. */
export function jsonLines(stream: NodeJS.WritableStream): (record: object) => void {
  let lines = ''
  const flush = () => {
    stream.write(lines)
    lines = ''
  }
  return (record) => {
    if (lines === '') setImmediate(flush)
    lines += `${JSON.stringify(encodeRecord(record))}\n`
  }
}
