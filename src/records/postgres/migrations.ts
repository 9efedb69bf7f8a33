// Applies the plain-SQL migrations of PostgreSQL, in Prisma's own table and under Prisma's own lock. Which of them is decided as for SQLite.
import { randomUUID } from 'node:crypto'
import type { ClientBase } from 'pg'
import { checksum, compare, refusePending, refuseRequired, requiredKey, type AppliedRow, type Migrated, type Migration } from '../migrations.ts'

/** `prisma migrate` holds the same one, so neither migrates while the other does. */
const lockNumber = 72707369

const table = `CREATE TABLE "_prisma_migrations" (
    "id"                    VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum"              VARCHAR(64) NOT NULL,
    "finished_at"           TIMESTAMPTZ,
    "migration_name"        VARCHAR(255) NOT NULL,
    "logs"                  TEXT,
    "rolled_back_at"        TIMESTAMPTZ,
    "started_at"            TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count"   INTEGER NOT NULL DEFAULT 0
)`

export const shippedFolder = new URL('../../../prisma/postgresql/migrations/', import.meta.url)

/**
 * Brings the database up to date in one transaction: all pending migrations or none. Of many that start at once one does, and the
 * others wait for it.
 * @throws Error when the database requires a newer version than this one, or a migration failed or was edited after it was applied.
 */
export async function migrate (client: ClientBase, migrations: readonly Migration[]): Promise<Migrated> {
  await client.query('BEGIN')
  try {
    // Of the transaction: whoever dies with it leaves it to the next.
    await client.query('SELECT pg_advisory_xact_lock($1)', [lockNumber])
    const migrated = await applyPending(client, migrations)
    await client.query('COMMIT')
    return migrated
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** For who may change nothing. @throws Error when a migration is pending, and as `migrate` */
export async function requireMigrated (client: ClientBase, migrations: readonly Migration[]): Promise<Migrated> {
  const rows = await hasTable(client, '_prisma_migrations') ? (await client.query<AppliedRow>('SELECT * FROM "_prisma_migrations"')).rows : []
  const { missing, newer } = compare(rows, migrations)
  refusePending(missing)
  if (newer.length > 0) refuseRequired(await requiredBy(client), migrations)
  return { applied: [], newer }
}

async function applyPending (client: ClientBase, migrations: readonly Migration[]): Promise<Migrated> {
  if (!await hasTable(client, '_prisma_migrations')) await client.query(table)
  const { rows } = await client.query<AppliedRow>('SELECT * FROM "_prisma_migrations"')
  const { missing, newer } = compare(rows, migrations)
  if (newer.length > 0) refuseRequired(await requiredBy(client), migrations)
  for (const { name, sql } of missing) {
    await client.query(sql)
    await client.query('INSERT INTO "_prisma_migrations" ("id", "checksum", "finished_at", "migration_name", "started_at", "applied_steps_count") VALUES ($1, $2, clock_timestamp(), $3, now(), 1)', [randomUUID(), checksum(sql), name])
  }
  return { applied: missing.map(({ name }) => name), newer }
}

/** CREATE TABLE IF NOT EXISTS needs the right to make one even where it is. */
async function hasTable (client: ClientBase, name: string): Promise<boolean> {
  const { rows: [row] } = await client.query<{ is: boolean }>('SELECT to_regclass($1) IS NOT NULL AS "is"', [`"${name}"`])
  return row?.is === true
}

async function requiredBy (client: ClientBase): Promise<string | undefined> {
  const { rows: [row] } = await client.query<{ value: string }>('SELECT "value" FROM "Setting" WHERE "key" = $1', [requiredKey])
  return row?.value
}
