// Dates as HTTP writes them (RFC 9110 section 5.6.7), strictly: Date.parse takes "1" or "2026" for a date, RFC 9110 does not.

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const month = `(?<month>${monthNames.join('|')})`
const time = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)'

/** The one form to send, and the two old ones that still have to be understood. */
const forms = [
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d{2}) ${month} (?<year>\\d{4}) ${time} GMT$`),
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d{2})-${month}-(?<year>\\d{2}) ${time} GMT$`),
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} (?<day>[ \\d]\\d) ${time} (?<year>\\d{4})$`),
]

/** The date in whole seconds since 1970; undefined when the field is no valid HTTP-date. */
export function parseHttpDate (field: string, now = new Date()): number | undefined {
  const parts = forms.map((form) => form.exec(field)?.groups).find((groups) => groups !== undefined)
  if (parts === undefined) return undefined
  const { day, hour, minute, second } = parts
  const date = new Date(Date.UTC(fullYear(parts.year ?? '', now), monthNames.indexOf(parts.month ?? ''), Number(day)))
  // A day that the month does not have rolls over into the next.
  if (date.getUTCDate() !== Number(day)) return undefined
  return date.getTime() / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second)
}

/** Two digits that seem more than 50 years ahead are of the past. */
function fullYear (digits: string, now: Date): number {
  if (digits.length === 4) return Number(digits)
  const thisYear = now.getUTCFullYear()
  const year = thisYear - thisYear % 100 + Number(digits)
  return year > thisYear + 50 ? year - 100 : year
}

export function formatHttpDate (seconds: number): string {
  return new Date(seconds * 1000).toUTCString()
}
