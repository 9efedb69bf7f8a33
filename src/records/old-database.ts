// The embedded database that a rebuild replaces: what it is, and how it makes way without ever being half of another. What is
// brought over from it is not decided here.
import { existsSync } from 'node:fs'
import BetterSqlite3 from 'better-sqlite3'
import { webhookKey } from './events.ts'
import { databaseKey, volumeKey } from './volume.ts'

export type OldDatabase =
  | { readonly is: 'absent' }
  /** `volumeId` undefined: it never belonged to a volume. `isOurs` false: it holds tables, but none of the gateway's. */
  | { readonly is: 'readable', readonly volumeId: string | undefined, readonly databaseId: string | undefined, readonly isOurs: boolean, readonly hasWebhook: boolean }
  | { readonly is: 'damaged', readonly reason: string }

export type Connection = BetterSqlite3.Database

export const openOld = (file: string): Connection => new BetterSqlite3(file, { readonly: true, fileMustExist: true })

/** What can be told of it without changing it. */
export function lookAtOld (file: string): OldDatabase {
  if (!existsSync(file)) return { is: 'absent' }
  try {
    return using(openOld(file), (connection) => {
      const tables = connection.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()
      const isOurs = tables.length === 0 || ['Setting', 'Blob', '_prisma_migrations'].every((name) => tables.includes(name))
      const setting = (key: string) => tables.includes('Setting') && isOurs ? connection.prepare<[string], string>('SELECT value FROM Setting WHERE key = ?').pluck().get(key) : undefined
      return { is: 'readable', volumeId: setting(volumeKey), databaseId: setting(databaseKey), isOurs, hasWebhook: setting(webhookKey) !== undefined }
    })
  } catch (error) {
    return { is: 'damaged', reason: reasonOf(error) }
  }
}

/**
 * Moves what is in its log into the file itself, so that no log is left that SQLite could apply to another file of that
 * name. @throws when it is too damaged for that
 */
export function emptyLog (file: string): void {
  using(new BetterSqlite3(file, { fileMustExist: true }), (connection) => {
    const mode = connection.pragma('journal_mode = DELETE', { simple: true })
    if (mode !== 'delete') throw new Error(`SQLite kept the log of ${file}: it says ${String(mode)}.`)
  })
}

export function using<T> (connection: Connection, work: (connection: Connection) => T): T {
  try {
    return work(connection)
  } finally {
    connection.close()
  }
}

export const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

export type OldRow = Readonly<Record<string, unknown>>

/** Some hundreds of rows of a table, in the order in which they lie there, from behind `after`; none where there is no such table. */
export function rowsAfter (connection: Connection, table: 'Account' | 'Erasure' | 'Owner' | 'Tombstone', after: number): Array<OldRow & { readonly rowid: number }> {
  if (connection.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) === undefined) return []
  return connection.prepare<[number, number], OldRow & { rowid: number }>(`SELECT rowid AS rowid, * FROM "${table}" WHERE rowid > ? ORDER BY rowid LIMIT ?`).all(after, rowsPerPage)
}

const rowsPerPage = 500

/** What nobody wrote is no count: that is damaged. */
export const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= mostCounted

const mostCounted = 1_500_000_000

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '' && !value.includes('\0')

/** Undefined for what is no time of a year that has four digits. */
export function timeIn (value: unknown): Date | undefined {
  const time = new Date(typeof value === 'string' || typeof value === 'number' ? value : NaN)
  return time.getTime() >= 0 && time.getTime() < Date.UTC(10_000) ? time : undefined
}
