// The database of System R, only read: one snapshot, through a cursor, so that memory stays bounded whatever its size.
import pLimit from 'p-limit'
import pg from 'pg'
import { errnoOf } from '../../storage/failures.ts'
import { Refusal } from '../refusal.ts'

export type Columns = { readonly id: string, readonly data: string, readonly type: string, readonly url: string, readonly date: string | undefined }

/** A user with something in the picture columns; `dataBytes` null where there is no data. */
export type UserRow = { readonly id: string | null, readonly dataBytes: number | null, readonly type: string | null, readonly url: string | null, readonly date: Date | null }

export type UserTable = {
  count (): Promise<number>
  /** In the order of their ids, as text. */
  rows (): AsyncGenerator<UserRow>
  /** What is in the data column of the user with this id. */
  data (id: string): Promise<string | Buffer | null>
  close (): Promise<void>
}

/** What is asked of the driver. */
export type Client = Pick<pg.Client, 'connect' | 'end' | 'escapeIdentifier'> & {
  on (event: 'error', listener: () => void): unknown
  query (text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

const connectMs = 10_000
const rowsPerFetch = 500

/** @throws Refusal when the database cannot be reached or read, or has no such table or column */
export async function openUserTable ({ url, table, columns, createClient = clientFor }: { url: string, table: string, columns: Columns, createClient?: (url: string) => Client }): Promise<UserTable> {
  const client = createClient(url)
  // A connection that is lost between two queries; the next query says so.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query('SET LOCAL idle_in_transaction_session_timeout = 0')
    return { ...await tableOf(client, table, columns), close: () => client.end() }
  } catch (error) {
    await client.end().catch(() => {})
    throw refusal(error)
  }
}

function clientFor (url: string): Client {
  try {
    return new pg.Client({ connectionString: url, connectionTimeoutMillis: connectMs, application_name: 'upload-gateway import' })
  } catch (error) {
    throw new Refusal('--database-url is no address of a PostgreSQL database. It must be like postgres://user@host:5432/database.', { cause: error })
  }
}

async function tableOf (client: Client, table: string, columns: Columns): Promise<Omit<UserTable, 'close'>> {
  const quoted = table.split('.').map((name) => client.escapeIdentifier(name)).join('.')
  await refuseAbsent(client, quoted, columns)
  const [id, data, type, url] = [columns.id, columns.data, columns.type, columns.url].map((name) => client.escapeIdentifier(name))
  const date = columns.date === undefined ? 'NULL' : client.escapeIdentifier(columns.date)
  const some = `FROM ${quoted} WHERE octet_length(${data}) > 0 OR ${url}::text <> ''`
  // One after the other, as the connection does them.
  const turn = pLimit(1)
  const ask = (text: string, values: unknown[] = []) => turn(async () => (await client.query(text, values).catch((error: unknown) => { throw refusal(error) })).rows)

  return {
    async count () {
      const [row] = await ask(`SELECT count(*)::int AS count ${some}`) as [{ count: number }]
      return row.count
    },
    async * rows () {
      await ask(`DECLARE users NO SCROLL CURSOR FOR SELECT ${id}::text AS id, NULLIF(octet_length(${data}), 0) AS "dataBytes", ${type}::text AS type, ${url}::text AS url, ${date}::timestamptz AS date ${some} ORDER BY ${id}`)
      for (;;) {
        const rows = await ask(`FETCH ${rowsPerFetch} FROM users`) as UserRow[]
        if (rows.length === 0) return
        yield * rows
      }
    },
    async data (value) {
      const [row] = await ask(`SELECT ${data} AS data FROM ${quoted} WHERE ${id} = $1 LIMIT 1`, [value]) as Array<{ data: string | Buffer | null }>
      return row?.data ?? null
    },
  }
}

/** Asks the catalogue, and then for nothing of the table, so that each refusal says which of the two it is. */
async function refuseAbsent (client: Client, quoted: string, { id, data, type, url, date }: Columns): Promise<void> {
  const { rows } = await client.query('SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped', [quoted])
  if (rows.length === 0) throw new Refusal(`The database has no table ${quoted}. Name it with --table; with its schema, as in app.users.`)
  const there = new Set((rows as Array<{ name: string }>).map(({ name }) => name))
  const missing = Object.entries({ '--id-column': id, '--data-column': data, '--type-column': type, '--url-column': url, '--date-column': date })
    .flatMap(([option, name]) => name === undefined || there.has(name) ? [] : [`${JSON.stringify(name)} (${option})`])
  if (missing.length > 0) throw new Refusal(`The table ${quoted} has no column ${missing.join(' and no ')}. It has ${[...there].join(', ')}.`)
}

const advice: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there: is the host, the port right, and the database running?',
  ENOTFOUND: 'There is no such host.',
  '28P01': 'The password is wrong; it can also be given in the variable PGPASSWORD.',
  28000: 'The database does not let this user in.',
  '3D000': 'There is no database of that name.',
  42501: 'The user needs the right to SELECT from the table.',
}

function refusal (error: unknown): unknown {
  if (error instanceof Refusal) return error
  const code = errnoOf(error) ?? ''
  const reason = error instanceof Error ? error.message || code : String(error)
  return new Refusal(`The database of System R cannot be read: ${reason}. ${advice[code] ?? 'Nothing was changed there; what was imported by then stays, and running it again goes on.'}`, { cause: error })
}
