// The condition of a PostgreSQL database, for whoever wonders about it: what the server is set to, whether the rows agree. Changes nothing.
import pg from 'pg'
import type { Agreement } from '../condition.ts'
import { requiredKey, shippedMigrations } from '../migrations.ts'
import { databaseKey, volumeKey } from '../volume.ts'
import { connectionTo, nameOf } from './connection.ts'
import { shippedFolder } from './migrations.ts'
import { refusalOf } from './refusals.ts'
import { refuseUnfit } from './server.ts'

export type PostgresCondition = Agreement & {
  /** Of the server. */
  readonly version: string
  readonly bytes: number
  /** Settings of the server as they hold for the gateway's user, of which each must be on. */
  readonly off: readonly string[]
  /** Whether a gateway was ever started on it. */
  readonly isMade: boolean
  /** That ordinary users may still open. */
  readonly connectionsLeft: number
  readonly maxConnections: number
  /** The server's clock less that of this machine, in milliseconds. */
  readonly clockMs: number
}

type Told = { version: string, bytes: string, fsync: string, pages: string, left: number, most: number, now: Date, isMade: boolean }

const question = `SELECT current_setting('server_version') AS "version", pg_database_size(current_database()) AS "bytes",
  current_setting('fsync') AS "fsync", current_setting('full_page_writes') AS "pages", current_setting('max_connections')::int AS "most",
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS "left",
  clock_timestamp() AS "now", to_regclass('"_prisma_migrations"') IS NOT NULL AND to_regclass('"Blob"') IS NOT NULL AS "isMade"`

/** @throws ConfigError when it cannot be reached, or is no server that will do */
export async function postgresCondition (url: string, now: () => Date): Promise<PostgresCondition> {
  const client = new pg.Client(connectionTo(url, { isPatient: true }))
  client.on('error', () => {})
  try {
    await client.connect()
    await refuseUnfit(client, nameOf(url), false)
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const asked = now().getTime()
    const told = await one<Told>(client, question)
    const answered = now().getTime()
    return {
      version: told.version, bytes: Number(told.bytes), isMade: told.isMade, connectionsLeft: told.left, maxConnections: told.most,
      off: [...told.fsync === 'off' ? ['fsync'] : [], ...told.pages === 'off' ? ['full_page_writes'] : []],
      clockMs: Math.round(told.now.getTime() - (asked + answered) / 2),
      ...await migrationsOf(client, told.isMade),
      ...told.isMade ? await rowsOf(client) : { required: undefined, miscounted: 0, volumeId: undefined, databaseId: undefined, newestAt: undefined },
    }
  } catch (error) {
    throw refusalOf(url, error)
  } finally {
    await client.end().catch(() => {})
  }
}

async function one<Row extends pg.QueryResultRow> (client: pg.Client, sql: string): Promise<Row> {
  const { rows: [row] } = await client.query<Row>(sql)
  if (row === undefined) throw new Error('it gives no answer')
  return row
}

async function migrationsOf (client: pg.Client, isMade: boolean): Promise<Pick<PostgresCondition, 'pending' | 'unknown'>> {
  const shipped = shippedMigrations(shippedFolder).map(({ name }) => name)
  const rows = isMade ? (await client.query<{ name: string }>('SELECT "migration_name" AS "name" FROM "_prisma_migrations" WHERE "rolled_back_at" IS NULL')).rows : []
  const applied = rows.map(({ name }) => name)
  return { pending: shipped.filter((name) => !applied.includes(name)), unknown: applied.filter((name) => !shipped.includes(name)) }
}

async function rowsOf (client: pg.Client): Promise<Pick<PostgresCondition, 'required' | 'miscounted' | 'volumeId' | 'databaseId' | 'newestAt'>> {
  const { count } = await one<{ count: number }>(client, miscounted)
  const setting = async (key: string) => (await client.query<{ value: string }>('SELECT "value" FROM "Setting" WHERE "key" = $1', [key])).rows[0]?.value
  const { newest } = await one<{ newest: string | null }>(client, 'SELECT to_char(max("createdAt"), \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\') AS "newest" FROM "Blob"')
  return { required: await setting(requiredKey), miscounted: count, volumeId: await setting(volumeKey), databaseId: await setting(databaseKey), newestAt: newest ?? undefined }
}

const counted = `SELECT "ownerId", sum(CASE WHEN "state" = 'live' THEN "size" ELSE 0 END)::bigint, sum(CASE WHEN "state" = 'live' THEN 1 ELSE 0 END)::bigint, sum(CASE WHEN "state" = 'live' THEN 0 ELSE "size" END)::bigint
  FROM "Blob" WHERE "ownerId" IS NOT NULL AND ("state" = 'live' OR "state" IN ('superseded', 'deleted') AND "size" > 0) GROUP BY "ownerId"`
const said = 'SELECT "ownerId", "bytes", "files"::bigint, "trashBytes" FROM "Usage"'
const miscounted = `SELECT count(DISTINCT "ownerId")::int AS "count" FROM ((${counted} EXCEPT ${said}) UNION ALL (${said} EXCEPT ${counted})) AS "different"`
