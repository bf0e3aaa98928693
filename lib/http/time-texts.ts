/** The current time as text. A busy server needs the same texts many times in a millisecond and a second, so the last ones are kept. */

/** As in `Date` fields, to the second. */
let httpDate = { second: -1, text: '' }
/** As in log lines, to the millisecond. */
let timestamp = { millisecond: -1, text: '' }

/** @returns the time as a `Date` field has it (RFC 9110, section 6.6.1). */
export function httpDateNow(): string {
  const now = Date.now()
  const second = Math.floor(now / 1000)
  if (second !== httpDate.second) httpDate = { second, text: new Date(now).toUTCString() }
  return httpDate.text
}

/** @returns the time in ISO 8601, UTC. */
export function timestampNow(): string {
  const millisecond = Date.now()
  if (millisecond !== timestamp.millisecond)
    timestamp = { millisecond, text: new Date(millisecond).toISOString() }
  return timestamp.text
}
