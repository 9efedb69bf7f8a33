// Applies the plain-SQL migrations in prisma/migrations, in Prisma's own table, so that `prisma migrate deploy` and
// `status` agree with it. It never writes migrations.
import { createHash, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { Database } from 'better-sqlite3'

export type Migration = { readonly name: string, readonly sql: string }

type AppliedRow = { migration_name: string, checksum: string, finished_at: string | null, rolled_back_at: string | null }

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

const checksum = (sql: string) => createHash('sha256').update(sql).digest('hex')

/** The migrations that come with this version, oldest first. */
export function shippedMigrations (folder = new URL('../../prisma/migrations/', import.meta.url)): Migration[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, sql: readFileSync(new URL(`${name}/migration.sql`, folder), 'utf8') }))
    .sort((a, b) => a.name < b.name ? -1 : 1)
}

/**
 * Brings the database up to date in one transaction: all pending migrations or none. Returns the names applied.
 * @throws Error when the database is newer than this version, or a migration failed or was edited after it was applied.
 */
export function migrate (connection: Database, migrations: readonly Migration[]): string[] {
  // Some migrations rebuild tables; SQLite can only switch this outside a transaction.
  connection.pragma('foreign_keys = OFF')
  try {
    connection.exec('BEGIN IMMEDIATE')
    const applied = applyPending(connection, migrations)
    connection.exec('COMMIT')
    return applied
  } catch (error) {
    // On a full disk SQLite has rolled back already, and BEGIN may have failed.
    if (connection.inTransaction) connection.exec('ROLLBACK')
    throw error
  } finally {
    connection.pragma('foreign_keys = ON')
  }
}

function applyPending (connection: Database, migrations: readonly Migration[]): string[] {
  connection.exec(table)
  const rows = connection.prepare<[], AppliedRow>('SELECT * FROM _prisma_migrations').all()
  const missing = pending(rows, migrations)
  const record = connection.prepare('INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count) VALUES (?, ?, ?, ?, ?, 1)')
  for (const { name, sql } of missing) {
    connection.exec(sql)
    const now = new Date().toISOString().replace('Z', '+00:00')
    record.run(randomUUID(), checksum(sql), now, name, now)
  }
  // Rows that somebody removed by hand are no migration's doing, and verify names what they left.
  const broken = missing.length === 0 ? [] : connection.pragma('foreign_key_check')
  if (Array.isArray(broken) && broken.length > 0) throw new Error('A migration left rows that point at nothing; the database was left as it was.')
  return missing.map(({ name }) => name)
}

function pending (rows: readonly AppliedRow[], migrations: readonly Migration[]): Migration[] {
  const current = rows.filter((row) => row.rolled_back_at === null)
  const failed = current.find((row) => row.finished_at === null)
  if (failed !== undefined) throw new Error(`Migration ${failed.migration_name} failed half-way; see "prisma migrate resolve".`)
  const applied = new Map(current.map((row) => [row.migration_name, row.checksum]))
  const unknown = [...applied.keys()].find((name) => !migrations.some((migration) => migration.name === name))
  if (unknown !== undefined) throw new Error(`The database is newer than this version of the gateway: it has migration ${unknown}. Start the version that made it, or a later one.`)
  const edited = migrations.find(({ name, sql }) => applied.has(name) && applied.get(name) !== checksum(sql))
  if (edited !== undefined) throw new Error(`Migration ${edited.name} is not the one that was applied to this database.`)
  return migrations.filter(({ name }) => !applied.has(name))
}
