// The condition of the embedded database, for whoever wonders about it: what it is set to, whether it is sound. Changes nothing.
import { statSync } from 'node:fs'
import BetterSqlite3 from 'better-sqlite3'
import { requiredKey, shippedMigrations } from './migrations.ts'
import { harden } from './sqlite.ts'
import { databaseKey, volumeKey } from './volume.ts'

/** What must agree with the gateway, whichever database it is. */
export type Agreement = {
  /** Migrations that the next start applies. */
  readonly pending: readonly string[]
  /** Migrations that a newer version of the gateway has applied. */
  readonly unknown: readonly string[]
  /** One without which no version may use it; undefined when there is none. */
  readonly required: string | undefined
  /** Owners of whom it says another usage than their blobs do. */
  readonly miscounted: number
  readonly volumeId: string | undefined
  readonly databaseId: string | undefined
  /** Of the newest record; undefined when there is none. */
  readonly newestAt: string | undefined
}

export type Condition = Agreement & {
  readonly bytes: number
  /** Of the log, which a checkpoint moves into the file. */
  readonly logBytes: number
  readonly journalMode: string
  /** Why the settings of a gateway's connection did not hold; undefined when they did. */
  readonly refusedSetting: string | undefined
  /** What SQLite finds wrong; empty when it is sound. */
  readonly faults: readonly string[]
}

/** @throws the error of SQLite when there is no such file, or it is no database */
export function conditionOf (file: string): Condition {
  const connection = new BetterSqlite3(file, { readonly: true, fileMustExist: true })
  try {
    const has = (table: string) => connection.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table) !== undefined
    const setting = (key: string) => has('Setting') ? connection.prepare<[string], string>('SELECT value FROM Setting WHERE key = ?').pluck().get(key) : undefined
    const applied = has('_prisma_migrations') ? connection.prepare<[], string>('SELECT migration_name FROM _prisma_migrations WHERE rolled_back_at IS NULL').pluck().all() : []
    const shipped = shippedMigrations().map(({ name }) => name)
    return {
      bytes: statSync(file).size,
      logBytes: statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0,
      journalMode: String(connection.pragma('journal_mode', { simple: true })),
      refusedSetting: refusedSetting(connection),
      faults: (connection.pragma('quick_check') as Array<{ quick_check: string }>).map((row) => row.quick_check).filter((text) => text !== 'ok'),
      pending: shipped.filter((name) => !applied.includes(name)),
      unknown: applied.filter((name) => !shipped.includes(name)),
      miscounted: has('Usage') ? connection.prepare<[], number>(miscounted).pluck().get() ?? 0 : 0,
      required: setting(requiredKey),
      volumeId: setting(volumeKey),
      databaseId: setting(databaseKey),
      newestAt: has('Blob') ? connection.prepare<[], string | null>('SELECT max(createdAt) FROM Blob').pluck().get() ?? undefined : undefined,
    }
  } finally {
    connection.close()
  }
}

const counted = `SELECT ownerId, sum(iif(state = 'live', size, 0)), sum(state = 'live'), sum(iif(state = 'live', 0, size)) FROM Blob
  WHERE ownerId IS NOT NULL AND (state = 'live' OR state IN ('superseded', 'deleted') AND size > 0) GROUP BY ownerId`
const said = 'SELECT ownerId, bytes, files, trashBytes FROM "Usage"'
const miscounted = `SELECT count(DISTINCT ownerId) FROM (SELECT * FROM (${counted} EXCEPT ${said}) UNION ALL SELECT * FROM (${said} EXCEPT ${counted}))`

/** Exported for its test: a SQLite that takes a setting here takes it everywhere. */
export function refusedSetting (connection: Pick<BetterSqlite3.Database, 'pragma'>): string | undefined {
  // A log cannot be begun by who only reads: that a gateway does itself.
  if (connection.pragma('journal_mode', { simple: true }) !== 'wal') return undefined
  try {
    harden(connection as BetterSqlite3.Database)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
