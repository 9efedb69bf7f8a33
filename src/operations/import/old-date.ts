// When an older system made a file, from the traces it left: the number in its name, the folders of year and month, the file's own time.

const second = 1000
const day = 86_400 * second
/** Before that there were none of these systems, and numbers are not dates. */
const earliest = Date.UTC(2005, 0, 1)

/** `path` is percent-decoded; `mtime` counts where the path says nothing. Never later than `now`. */
export function dateOf (path: string, mtime: Date, now: Date): Date {
  const at = numberIn(path, now) ?? monthIn(path, now) ?? mtime.getTime()
  return new Date(Math.min(Number.isFinite(at) ? at : now.getTime(), now.getTime()))
}

const isPlausible = (at: number, now: Date): boolean => at >= earliest && at <= now.getTime() + day

/** `avatar_<timestamp>_<random>`, in milliseconds or seconds since 1970. */
function numberIn (path: string, now: Date): number | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const numbers = (name.match(/(?<!\d)\d{10}(?:\d{3})?(?!\d)/g) ?? []).map((digits) => Number(digits) * (digits.length === 10 ? second : 1))
  return numbers.find((at) => isPlausible(at, now))
}

/** `/YYYY/MM/`: the first day of that month. */
function monthIn (path: string, now: Date): number | undefined {
  const [, year, month] = /\/((?:20)\d{2})\/(0[1-9]|1[0-2])\//.exec(path) ?? []
  const at = Date.UTC(Number(year), Number(month) - 1)
  return isPlausible(at, now) ? at : undefined
}

/** What an export says of a time: ISO 8601, or milliseconds or seconds since 1970. */
export function dateIn (value: unknown): Date | undefined {
  const text = typeof value === 'object' && value !== null && '$date' in value ? value.$date : value
  if (typeof text !== 'string' && typeof text !== 'number') return undefined
  const at = typeof text === 'number' ? new Date(text < 1e11 ? text * second : text) : new Date(text)
  return Number.isNaN(at.getTime()) ? undefined : at
}
