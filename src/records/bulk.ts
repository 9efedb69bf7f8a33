// Many rows at once into a database that nobody else uses: prepared statements instead of Prisma, which takes ten times as long.
import BetterSqlite3 from 'better-sqlite3'
import type { Rows } from './adopt.ts'
import { harden } from './sqlite.ts'

type Value = string | number | bigint | null

export type Bulk = {
  /** All of them, or none. */
  insert (rows: readonly Rows[]): void
  close (): void
}

/** `file`: a database that is migrated. */
export function openBulk (file: string): Bulk {
  const connection = new BetterSqlite3(file, { fileMustExist: true })
  harden(connection)
  const statements = new Map<string, BetterSqlite3.Statement<Value[]>>()

  function insertOne (table: 'Blob' | 'Attachment' | 'Alias', row: object): void {
    const columns = Object.keys(row)
    const key = `${table} ${columns.join()}`
    const statement = statements.get(key) ?? connection.prepare<Value[]>(`INSERT INTO "${table}" (${columns.map((name) => `"${name}"`).join()}) VALUES (${columns.map(() => '?').join()})`)
    statements.set(key, statement)
    statement.run(...Object.values(row).map(toValue))
  }

  return {
    insert: connection.transaction((rows: readonly Rows[]) => {
      for (const { blob, attachments, aliases } of rows) {
        insertOne('Blob', blob)
        for (const row of attachments) insertOne('Attachment', row)
        for (const row of aliases) insertOne('Alias', row)
      }
    }),
    close () { connection.close() },
  }
}

/** As Prisma's adapter writes them: times compare as text, and SQLite knows no booleans. */
function toValue (value: unknown): Value {
  if (value instanceof Date) return value.toISOString().replace('Z', '+00:00')
  return typeof value === 'boolean' ? Number(value) : value as Value
}
