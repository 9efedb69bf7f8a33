// When an attachment goes to the trash by itself: what may be said of that. Takes nothing there.

/** RFC 3339 section 5.6, with the time zone that JavaScript would otherwise make up. */
export const expiryPattern = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]\\d{2}:\\d{2})$'

const longestYears = 10

/** In words, for refusals. */
export const expiryAllowed = `a time in the future, at most ${longestYears} years from now, with its time zone, as in 2030-12-31T23:59:59Z`

/** Undefined when it is none that an attachment may have. */
export function expiryIn (text: string, now: Date): Date | undefined {
  if (!new RegExp(expiryPattern).test(text) || !isDay(text.slice(0, 10))) return undefined
  const at = new Date(text)
  const latest = new Date(now)
  latest.setUTCFullYear(now.getUTCFullYear() + longestYears)
  return at > now && at <= latest ? at : undefined
}

/** JavaScript takes the 30th of February for a day in March. */
function isDay (date: string): boolean {
  const day = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date)
}
