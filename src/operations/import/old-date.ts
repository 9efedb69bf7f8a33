// When an older system made a file, from the traces it left: the number in its name, the folders of year and month, the file's own time.

const second = 1000
const day = 86_400 * second
/** Before that there were none of these systems, and numbers are not dates. */
const earliest = Date.UTC(2005, 0, 1)

/** `isDated` false: nothing tells, and it is taken to be now. */
export type Dated = { readonly createdAt: Date, readonly isDated: boolean, readonly notes: readonly string[] }

type Traces = {
  /** What the older system says of it; null and undefined when it says nothing. */
  readonly said?: Date | null | undefined
  /** Percent-decoded. */
  readonly path: string
  /** Counts where nothing else says anything; undefined when it is no file. */
  readonly mtime: Date | undefined
  readonly now: Date
}

/** Never later than `now`. What cannot be is taken as unknown, and noted. */
export function datedBy ({ said, path, mtime, now }: Traces): Dated {
  const isPossible = (date: Date) => date.valueOf() >= earliest && date.valueOf() <= now.getTime()
  if (said && isPossible(said)) return { createdAt: said, isDated: true, notes: [] }
  const notes = said ? [impossible('date', said)] : []
  const at = numberIn(path, now) ?? monthIn(path, now)
  if (at !== undefined) return { createdAt: new Date(Math.min(at, now.getTime())), isDated: true, notes }
  if (mtime === undefined) return { createdAt: now, isDated: false, notes }
  return isPossible(mtime) ? { createdAt: mtime, isDated: true, notes } : { createdAt: now, isDated: false, notes: [...notes, impossible('file time', mtime)] }
}

/** PostgreSQL's infinity comes as that number, not as a date. */
const impossible = (what: string, date: Date): string =>
  `its ${what} ${Number.isFinite(date.valueOf()) ? date.toISOString() : String(date)} is not between 2005 and now, and is taken as unknown`

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
