/** Dates in header fields (RFC 9110, section 5.6.7): today's form, and the two obsolete ones that a recipient must accept. */

const RFC_850 = /^(\w{3})\w*, (\d\d)-(\w{3})-(\d\d) (\d\d:\d\d:\d\d) GMT$/
const ASCTIME = /^(\w{3}) (\w{3}) ([ \d]\d) (\d\d:\d\d:\d\d) (\d{4})$/
const CENTURY = 100

/**
 * @param now milliseconds since the epoch. A year of two digits is at most 50 years after it.
 * @returns milliseconds since the epoch; undefined for any other form, and for a date that does not exist.
 */
export function parseHttpDate(field: string, now: number): number | undefined {
  const text = inTodaysForm(field.trim(), new Date(now).getUTCFullYear())
  const time = Date.parse(text)
  // `Date.parse` accepts more forms, which `toUTCString` writes differently.
  return Number.isNaN(time) || new Date(time).toUTCString() !== text ? undefined : time
}

function inTodaysForm(text: string, thisYear: number): string {
  const [isRfc850, name, day, month, yy, clock] = RFC_850.exec(text) ?? []
  if (isRfc850) {
    const year = thisYear - (thisYear % CENTURY) + Number(yy)
    return `${name}, ${day} ${month} ${year > thisYear + 50 ? year - CENTURY : year} ${clock} GMT`
  }
  const [isAsctime, weekday, monthName, date = '', time, year] = ASCTIME.exec(text) ?? []
  return isAsctime ? `${weekday}, ${date.replace(' ', '0')} ${monthName} ${year} ${time} GMT` : text
}
