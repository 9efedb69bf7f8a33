// The embedded database as a side of a transfer: its catalog says what is in it. Makes and migrates none.
import BetterSqlite3 from 'better-sqlite3'
import { Prisma } from '../../generated/prisma/client.ts'
import { harden } from '../sqlite.ts'
import { NotTransferable, ownSettings, timeCell, unlike, type Column, type ColumnKind, type Row, type Source, type Table, type Target } from './side.ts'

type Connection = BetterSqlite3.Database

/** Integers come as BigInt, whatever their size. */
type Value = string | bigint | null

const busyTimeoutMs = 10_000
const rowsPerPage = 500

const kinds: Readonly<Record<string, ColumnKind>> = { TEXT: 'text', INTEGER: 'whole', BIGINT: 'whole', BOOLEAN: 'boolean', DATETIME: 'time' }

/** @throws NotTransferable when it lacks a table of this version; the error of SQLite when there is no such file, or it is no database */
export function openSqliteSource (file: string): Source {
  const connection = new BetterSqlite3(file, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs })
  return closingOnFailure(connection, () => {
    connection.exec('BEGIN')
    return sideOf(connection)
  })
}

/** `file`: a database that is migrated. @throws as the source; also while somebody else writes there */
export function openSqliteTarget (file: string): Target {
  const connection = new BetterSqlite3(file, { fileMustExist: true, timeout: busyTimeoutMs })
  return closingOnFailure(connection, () => targetOf(connection))
}

function closingOnFailure<T> (connection: Connection, open: () => T): T {
  try {
    return open()
  } catch (error) {
    connection.close()
    throw error
  }
}

function sideOf (connection: Connection): Source {
  return {
    tables: Object.values(Prisma.ModelName).map((name) => describe(connection, name)),
    async * rows (table) {
      const names = table.columns.map(({ name }) => `"${name}"`).join()
      const statement = connection.prepare<[], Value[]>(`SELECT ${names} FROM "${table.name}" ORDER BY "${table.key}"`).raw().safeIntegers()
      let page: Row[] = []
      for (const values of statement.iterate()) {
        page.push(table.columns.map((column, index) => cellOf(table, column, values[index] ?? null)))
        if (page.length < rowsPerPage) continue
        yield page
        page = []
      }
      if (page.length > 0) yield page
    },
    async counters () {
      const rows = connection.prepare<[], { name: string, seq: number }>('SELECT name, seq FROM sqlite_sequence').all()
      return new Map(rows.map(({ name, seq }) => [name, String(seq)]))
    },
    async close () { connection.close() },
  }
}

function targetOf (connection: Connection): Target {
  harden(connection)
  connection.pragma(`busy_timeout = ${busyTimeoutMs}`)
  // Looked at as a whole before the commit; and what is replaced need not be removed in an order.
  connection.pragma('foreign_keys = OFF')
  connection.exec('BEGIN IMMEDIATE')
  const side = sideOf(connection)
  const triggers = connection.prepare<[], { name: string, sql: string }>("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
  // What they would count is copied as well.
  for (const { name } of triggers) connection.exec(`DROP TRIGGER "${name}"`)
  const statements = new Map<string, BetterSqlite3.Statement<Value[]>>()

  function insertInto ({ name, columns }: Table): BetterSqlite3.Statement<Value[]> {
    const statement = statements.get(name) ?? connection.prepare<Value[]>(`INSERT INTO "${name}" (${columns.map((column) => `"${column.name}"`).join()}) VALUES (${columns.map(() => '?').join()})`)
    statements.set(name, statement)
    return statement
  }

  return {
    ...side,
    async clear () {
      for (const { name } of side.tables) connection.exec(`DELETE FROM "${name}"${name === 'Setting' ? ` WHERE NOT (${ownSettings})` : ''}`)
    },
    async insert (table, rows) {
      const statement = insertInto(table)
      for (const row of rows) statement.run(...table.columns.map(({ kind }, index) => valueOf(kind, row[index] ?? null)))
    },
    async setCounter (table, last) {
      const sql = connection.prepare<[string], string>("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?").pluck().get(table)
      if (sql?.includes('AUTOINCREMENT') !== true) return
      connection.prepare('DELETE FROM sqlite_sequence WHERE name = ?').run(table)
      connection.prepare('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)').run(table, BigInt(last))
    },
    async setSetting (key, value) {
      connection.prepare('INSERT INTO "Setting" ("key", "value") VALUES (?, ?) ON CONFLICT ("key") DO UPDATE SET "value" = excluded."value"').run(key, value)
    },
    async commit () {
      const [broken] = connection.pragma('foreign_key_check') as Array<{ table: string, parent: string }>
      if (broken !== undefined) throw new NotTransferable(`A row of the table ${broken.table} points at none of ${broken.parent}.`)
      for (const { sql } of triggers) connection.exec(sql)
      connection.exec('COMMIT')
    },
  }
}

function describe (connection: Connection, name: string): Table {
  const found = connection.prepare<[string], { name: string, type: string, pk: number }>('SELECT name, type, pk FROM pragma_table_info(?) ORDER BY name').all(name)
  const key = found.find(({ pk }) => pk === 1)?.name
  if (key === undefined) throw new NotTransferable(`It has no table ${name}: it is no database of the gateway, or of another version.`)
  const columns = found.map(({ name: column, type }): Column => ({ name: column, kind: kinds[type] ?? 'text' }))
  const references = connection.prepare<[string], string>('SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)').pluck().all(name)
  return { name, columns, key, references }
}

function cellOf (table: Table, column: Column, value: Value): string | null {
  if (value === null) return null
  switch (column.kind) {
    case 'text': if (typeof value === 'string') return value; break
    case 'whole': if (typeof value === 'bigint') return String(value); break
    case 'boolean': if (value === 0n || value === 1n) return String(value === 1n); break
    // Prisma's adapter writes text; milliseconds are what it reads as well.
    case 'time': return timeCell(table, column, typeof value === 'bigint' ? Number(value) : String(value))
  }
  throw unlike(table, column)
}

/** Times as Prisma's adapter writes them: they compare as text. */
function valueOf (kind: ColumnKind, cell: string | null): Value {
  if (cell === null) return null
  switch (kind) {
    case 'text': return cell
    case 'whole': return BigInt(cell)
    case 'boolean': return cell === 'true' ? 1n : 0n
    case 'time': return cell.replace('Z', '+00:00')
  }
}
