/** Writes the operation log as JSON lines, many of them in one write when requests come fast. */

/** @param stream where the lines go: stderr of a server, so that stdout stays free for its ready line. */
export function jsonLines(stream: NodeJS.WritableStream): (record: object) => void {
  let lines = ''
  const flush = () => {
    stream.write(lines)
    lines = ''
  }
  return (record) => {
    if (lines === '') setImmediate(flush)
    lines += `${JSON.stringify(record)}\n`
  }
}
