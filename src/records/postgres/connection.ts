// How a connection to PostgreSQL is to be: what DATABASE_URL says, and what the gateway needs of each session whatever the server's defaults are. Opens none.
import type pg from 'pg'
import { ConfigError } from '../../config.ts'

export const connectMs = 4_000

/** Of one statement. Who waits for a lock fails before that, when the holder cannot be there any more. */
const statementMs = 30_000
const idleInTransactionMs = 10_000
const lockMs = 12_000

const keepAliveMs = 5_000

/** Of tables and indexes; PostgreSQL's own, where the URL names none. */
const usualSchema = 'public'

/**
 * `isPatient`: without limits for statements and locks, as migrations and copies of all there is take their time. `isReadOnly`: no
 * statement can write. `setting`: what named the URL, for people.
 * What the URL says in its query, such as `?statement_timeout=60000` or `?sslmode=verify-full`, comes before what is set here.
 * @throws ConfigError
 */
export function connectionTo (url: string, { isPatient = false, isReadOnly = false, setting = 'DATABASE_URL' }: { isPatient?: boolean, isReadOnly?: boolean, setting?: string | undefined } = {}): pg.ClientConfig {
  const address = new URL(url)
  const schema = address.searchParams.get('schema') ?? usualSchema
  const given = address.searchParams.get('options') ?? ''
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(schema)) throw new ConfigError(`${setting} names a schema that is not of letters, digits and _: "${schema}".`)
  // The driver would take those of the URL alone.
  for (const name of ['schema', 'options']) address.searchParams.delete(name)
  return {
    connectionString: address.href,
    application_name: 'upload-gateway',
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    ...(!isPatient && { statement_timeout: statementMs, lock_timeout: lockMs }),
    options: [given, ...settingsOf(schema), ...isReadOnly ? ['-c default_transaction_read_only=on'] : []].join(' ').trim(),
  }
}

/** Of a session, as the server takes them with the connection: they come before those of role and database. */
const settingsOf = (schema: string): string[] => [
  // Prisma keeps times without a zone, in UTC.
  '-c timezone=UTC',
  // Prisma names its tables with their schema; raw SQL does not. In quotes, as without them capitals are small letters.
  `-c search_path="${schema}"`,
  '-c default_transaction_isolation=read\\ committed',
]

/** In which schema the tables are. */
export const schemaIn = (url: string): string => new URL(url).searchParams.get('schema') ?? usualSchema

/** For sentences: where it is and who asks, never the password. */
export function nameOf (url: string): string {
  const { hostname, port, pathname, username } = new URL(url)
  const place = `${hostname === '' ? 'localhost' : decodeURIComponent(hostname)}:${port === '' ? '5432' : port}`
  return `PostgreSQL at ${place}, database "${decodeURIComponent(pathname.slice(1))}"${username === '' ? '' : ` as "${decodeURIComponent(username)}"`}`
}
