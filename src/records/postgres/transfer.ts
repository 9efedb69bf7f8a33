// A PostgreSQL database as a side of a transfer: its catalog says what is in it. Makes and migrates none.
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import Cursor from 'pg-cursor'
import { Prisma } from '../../generated/prisma/client.ts'
import { CommitUnknown, NotTransferable, ownSettings, timeCell, unlike, type Column, type ColumnKind, type Row, type Source, type Table, type Target } from '../transfer/side.ts'
import { connectionTo, nameOf } from './connection.ts'
import { refusalOf } from './refusals.ts'

const rowsPerPage = 500

/** For as long as a server takes to start again. */
const attempts = 20
const pauseMs = 500

const kinds: Readonly<Record<string, ColumnKind>> = { text: 'text', integer: 'whole', bigint: 'whole', boolean: 'boolean', 'timestamp without time zone': 'time' }

/** SQLSTATE. */
const lockNotAvailable = '55P03'

type Address = { readonly url: string, /** What named it, for people. */ readonly setting?: string | undefined }

/** As the server writes it. */
const asText = { getTypeParser: () => (value: string) => value }

/** @throws NotTransferable when it lacks a table of this version, ConfigError when it cannot be used */
export async function openPostgresSource (address: Address): Promise<Source> {
  return opened(address, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    return sideOf(client)
  })
}

/** @throws as the source; also while somebody else has a transaction open there */
export async function openPostgresTarget (address: Address): Promise<Target> {
  return opened(address, async (client) => {
    await client.query("BEGIN; SET LOCAL lock_timeout = '15s'; SET LOCAL synchronous_commit = on")
    const names = Object.values(Prisma.ModelName).map((name) => pg.escapeIdentifier(name))
    // Before it is looked at: a gateway that starts meanwhile waits until all is there.
    await client.query(`LOCK TABLE ${names.join()} IN ACCESS EXCLUSIVE MODE`)
    // What they would count is copied as well.
    for (const name of names) await client.query(`ALTER TABLE ${name} DISABLE TRIGGER USER`)
    return targetOf(client, await sideOf(client), address.url)
  })
}

async function opened<T> ({ url, setting }: Address, open: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(connectionTo(url, { isPatient: true, setting }))
  // A connection that is lost in between is an error of the query after it.
  client.on('error', () => {})
  try {
    await client.connect()
    // It waits while the other side is at work.
    await client.query('SET idle_in_transaction_session_timeout = 0; SET datestyle = ISO')
    return await open(client)
  } catch (error) {
    await client.end().catch(() => {})
    if (error instanceof NotTransferable) throw error
    throw (error as { code?: unknown }).code === lockNotAvailable ? new NotTransferable(`${nameOf(url)} is in use: somebody has a transaction open there.`) : refusalOf(url, error, setting)
  }
}

async function sideOf (client: pg.Client): Promise<Source> {
  const tables = await describe(client)
  return {
    tables,
    async * rows (table) {
      const names = table.columns.map(({ name }) => pg.escapeIdentifier(name)).join()
      const collation = table.columns.find(({ name }) => name === table.key)?.kind === 'text' ? ' COLLATE "C"' : ''
      const cursor = client.query(new Cursor<Array<string | null>>(`SELECT ${names} FROM ${pg.escapeIdentifier(table.name)} ORDER BY ${pg.escapeIdentifier(table.key)}${collation}`, [], { rowMode: 'array', types: asText }))
      try {
        for (let rows = await cursor.read(rowsPerPage); rows.length > 0; rows = await cursor.read(rowsPerPage)) {
          yield rows.map((values): Row => table.columns.map((column, index) => cellOf(table, column, values[index] ?? null)))
        }
      } finally {
        await cursor.close()
      }
    },
    async counters () {
      const counters = new Map<string, string>()
      for (const { name, key } of tables) {
        const sequence = await sequenceOf(client, name, key)
        if (sequence === undefined) continue
        const { rows: [row] } = await client.query<{ last: string }>(`SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS last FROM ${sequence}`)
        counters.set(name, String(row?.last ?? 0))
      }
      return counters
    },
    close: () => client.end(),
  }
}

function targetOf (client: pg.Client, side: Source, url: string): Target {
  const names = side.tables.map(({ name }) => pg.escapeIdentifier(name))
  return {
    ...side,
    async clear () {
      await client.query(`TRUNCATE ${names.filter((name) => name !== '"Setting"').join()}`)
      await client.query(`DELETE FROM "Setting" WHERE NOT (${ownSettings})`)
    },
    async insert ({ name, columns }, rows) {
      const listed = columns.map((column) => pg.escapeIdentifier(column.name)).join()
      const objects = rows.map((row) => Object.fromEntries(columns.map((column, index) => [column.name, row[index] ?? null])))
      const json = JSON.stringify(objects)
      if (json.includes('\\u0000')) refuseNul(name, objects)
      await client.query({ name: `insert ${name}`, text: `INSERT INTO ${pg.escapeIdentifier(name)} (${listed}) SELECT ${listed} FROM json_populate_recordset(NULL::${pg.escapeIdentifier(name)}, $1)`, values: [json] })
    },
    async setCounter (table, last) {
      const key = side.tables.find(({ name }) => name === table)?.key
      const sequence = key === undefined ? undefined : await sequenceOf(client, table, key)
      if (sequence !== undefined) await client.query('SELECT setval($1::regclass, greatest($2::bigint, 1), $2::bigint > 0)', [sequence, last])
    },
    async setSetting (key, value) {
      await client.query('INSERT INTO "Setting" ("key", "value") VALUES ($1, $2) ON CONFLICT ("key") DO UPDATE SET "value" = excluded."value"', [key, value])
    },
    async commit () {
      for (const name of names) await client.query(`ALTER TABLE ${name} ENABLE TRIGGER USER`)
      const { rows: [row] } = await client.query<{ id: string }>('SELECT pg_current_xact_id()::text AS id')
      await client.query('COMMIT').catch(async (error: unknown) => {
        if (!await isCommitted(url, String(row?.id))) throw error
      })
      // What the planner knows is of the tables as they were. Without it the server finds out in time.
      await client.query(`ANALYZE ${names.join()}`).catch(() => {})
    },
  }
}

/** Of a transaction whose commit was asked for, and the answer lost. @throws CommitUnknown while the server cannot be asked, or has not decided */
async function isCommitted (url: string, transaction: string): Promise<boolean> {
  let cause: unknown
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    try {
      const status = await statusOf(url, transaction)
      if (status !== 'in progress') return status === 'committed'
    } catch (error) {
      cause = error
    }
    await setTimeout(pauseMs)
  }
  throw new CommitUnknown(`It is not known whether ${nameOf(url)} has taken the new rows: its answer to the last statement, COMMIT, was lost, and it gave none since. It has all of them, or what was there before: look at that database before you run this again.`, { cause })
}

async function statusOf (url: string, transaction: string): Promise<string | undefined> {
  const client = new pg.Client(connectionTo(url))
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows: [row] } = await client.query<{ status: string }>('SELECT pg_xact_status($1::xid8) AS status', [transaction])
    return row?.status
  } finally {
    await client.end().catch(() => {})
  }
}

/** It keeps no text with U+0000 in it; a backslash before what looks like one is text as well. */
function refuseNul (table: string, rows: ReadonlyArray<Record<string, string | null>>): void {
  for (const row of rows) {
    const column = Object.keys(row).find((name) => row[name]?.includes('\0'))
    if (column !== undefined) throw new NotTransferable(`The column ${column} of the table ${table} holds a character U+0000, which PostgreSQL cannot keep.`)
  }
}

async function sequenceOf (client: pg.Client, table: string, key: string): Promise<string | undefined> {
  const { rows: [row] } = await client.query<{ sequence: string | null }>('SELECT pg_get_serial_sequence($1, $2) AS sequence', [pg.escapeIdentifier(table), key])
  return row?.sequence ?? undefined
}

type CatalogRow = { table: string, column: string, type: string, isKey: boolean, references: string[] }

async function describe (client: pg.Client): Promise<Table[]> {
  const { rows } = await client.query<CatalogRow>(catalog, [Object.values(Prisma.ModelName)])
  return Object.values(Prisma.ModelName).map((name): Table => {
    const own = rows.filter(({ table }) => table === name)
    const key = own.find(({ isKey }) => isKey)?.column
    if (key === undefined) throw new NotTransferable(`It has no table ${name}: it is no database of the gateway, or of another version.`)
    // As SQLite orders them.
    const columns = own.map(({ column, type }): Column => ({ name: column, kind: kinds[type] ?? 'text' })).sort((one, other) => one.name < other.name ? -1 : 1)
    return { name, columns, key, references: own[0]?.references ?? [] }
  })
}

const catalog = `
  SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, NULL) AS "type", COALESCE(k.conkey[1] = a.attnum, false) AS "isKey",
    ARRAY(SELECT DISTINCT p.relname::text FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid WHERE f.conrelid = c.oid AND f.contype = 'f') AS "references"
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
  WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1)`

function cellOf (table: Table, column: Column, value: string | null): string | null {
  if (value === null || column.kind === 'text' || column.kind === 'whole') return value
  if (column.kind === 'time') return timeCell(table, column, `${value.replace(' ', 'T')}Z`)
  if (value !== 't' && value !== 'f') throw unlike(table, column)
  return String(value === 't')
}
