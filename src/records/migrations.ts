// Applies plain-SQL migrations, in Prisma's own table, so that `prisma migrate deploy` and `status` agree with it: which of them,
// and to SQLite. It never writes migrations.
import { createHash, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { Database } from 'better-sqlite3'

export type Migration = { readonly name: string, readonly sql: string }

/** `newer`: names that only a later version knows. */
export type Migrated = { readonly applied: readonly string[], readonly newer: readonly string[] }

/** Times are text or dates, as the driver has it. */
export type AppliedRow = { readonly migration_name: string, readonly checksum: string, readonly finished_at: unknown, readonly rolled_back_at: unknown }

const table = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id"                    TEXT PRIMARY KEY NOT NULL,
    "checksum"              TEXT NOT NULL,
    "finished_at"           DATETIME,
    "migration_name"        TEXT NOT NULL,
    "logs"                  TEXT,
    "rolled_back_at"        DATETIME,
    "started_at"            DATETIME NOT NULL DEFAULT current_timestamp,
    "applied_steps_count"   INTEGER UNSIGNED NOT NULL DEFAULT 0
)`

/** The row of Setting that names a migration without which no version may use the database: one that did more than add to it. */
export const requiredKey = 'requiredMigration'

export const checksum = (sql: string) => createHash('sha256').update(sql).digest('hex')

/** The migrations that come with this version, oldest first: those of SQLite, or of another `folder`. */
export function shippedMigrations (folder = new URL('../../prisma/migrations/', import.meta.url)): Migration[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, sql: readFileSync(new URL(`${name}/migration.sql`, folder), 'utf8') }))
    .sort((a, b) => a.name < b.name ? -1 : 1)
}

/**
 * Brings the database up to date in one transaction: all pending migrations or none.
 * @throws Error when the database requires a newer version than this one, or a migration failed or was edited after it was applied.
 */
export function migrate (connection: Database, migrations: readonly Migration[]): Migrated {
  // Some migrations rebuild tables; SQLite can only switch this outside a transaction.
  connection.pragma('foreign_keys = OFF')
  try {
    connection.exec('BEGIN IMMEDIATE')
    const migrated = applyPending(connection, migrations)
    connection.exec('COMMIT')
    return migrated
  } catch (error) {
    // On a full disk SQLite has rolled back already, and BEGIN may have failed.
    if (connection.inTransaction) connection.exec('ROLLBACK')
    throw error
  } finally {
    connection.pragma('foreign_keys = ON')
  }
}

function applyPending (connection: Database, migrations: readonly Migration[]): Migrated {
  connection.exec(table)
  const rows = connection.prepare<[], AppliedRow>('SELECT * FROM _prisma_migrations').all()
  const { missing, newer } = compare(rows, migrations)
  if (newer.length > 0) refuseRequired(requiredBy(connection), migrations)
  const record = connection.prepare('INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count) VALUES (?, ?, ?, ?, ?, 1)')
  for (const { name, sql } of missing) {
    connection.exec(sql)
    const now = new Date().toISOString().replace('Z', '+00:00')
    record.run(randomUUID(), checksum(sql), now, name, now)
  }
  // Rows that somebody removed by hand are no migration's doing, and verify names what they left.
  const broken = missing.length === 0 ? [] : connection.pragma('foreign_key_check')
  if (Array.isArray(broken) && broken.length > 0) throw new Error('A migration left rows that point at nothing; the database was left as it was.')
  return { applied: missing.map(({ name }) => name), newer }
}

const requiredBy = (connection: Database): string | undefined =>
  connection.prepare<[string], string>('SELECT "value" FROM "Setting" WHERE "key" = ?').pluck().get(requiredKey)

/** For who may change nothing. @throws Error when a migration is pending, and as `migrate` */
export function requireMigrated (connection: Database, migrations: readonly Migration[]): Migrated {
  const { missing, newer } = compare(connection.prepare<[], AppliedRow>('SELECT * FROM _prisma_migrations').all(), migrations)
  refusePending(missing)
  if (newer.length > 0) refuseRequired(requiredBy(connection), migrations)
  return { applied: [], newer }
}

/** @throws Error when there are any */
export function refusePending (missing: readonly Migration[]): void {
  if (missing.length === 0) return
  throw new Error(`It is of an older version: ${missing.map(({ name }) => name).join(', ')} is still to be applied, and who only reads changes nothing. Start a gateway of this version once without READ_ONLY=true, or go on with the older one.`)
}

/** @throws Error when one failed, or was edited after it was applied */
export function compare (rows: readonly AppliedRow[], migrations: readonly Migration[]): { missing: Migration[], newer: string[] } {
  const current = rows.filter((row) => row.rolled_back_at === null)
  const failed = current.find((row) => row.finished_at === null)
  if (failed !== undefined) throw new Error(`Migration ${failed.migration_name} failed half-way; see "prisma migrate resolve".`)
  const applied = new Map(current.map((row) => [row.migration_name, row.checksum]))
  const edited = migrations.find(({ name, sql }) => applied.has(name) && applied.get(name) !== checksum(sql))
  if (edited !== undefined) throw new Error(`Migration ${edited.name} is not the one that was applied to this database.`)
  return {
    missing: migrations.filter(({ name }) => !applied.has(name)),
    newer: [...applied.keys()].filter((name) => !migrations.some((migration) => migration.name === name)),
  }
}

/** Migrations only add, so an older version can go on beside a newer one, as while replicas are replaced. @throws Error unless that holds */
export function refuseRequired (required: string | undefined, migrations: readonly Migration[]): void {
  if (required === undefined || migrations.some(({ name }) => name === required)) return
  throw new Error(`The database is newer than this version of the gateway can work with: it has migration ${required}. Start the version that made it, or a later one.`)
}

/** What to log of a database that has more than this version knows; undefined when it has not. */
export function newerSentence (newer: readonly string[]): string | undefined {
  if (newer.length === 0) return undefined
  return `The database is newer than this version of the gateway: it has ${newer.join(', ')}. That is as it should be while replicas are replaced one by one; otherwise start the version that made it, or a later one.`
}
