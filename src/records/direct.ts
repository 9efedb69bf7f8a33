// SQL upon the one connection to SQLite, past Prisma, which takes several times as long over it. What there is none of in SQL stays Prisma's.
import type { Prisma } from '../generated/prisma/client.ts'
import type { Connected } from './sqlite.ts'
import type { Ask } from './statements.ts'

/** Ready to be run, once. */
export const bound = ({ connection }: Pick<Connected, 'connection'>, { sql, values }: Pick<Prisma.Sql, 'sql' | 'values'>) => connection.prepare<unknown[]>(sql).bind(values.map(toSqlite))

export const createAsking = ({ connection, between }: Connected): Ask => <Row extends object>(statement: Prisma.Sql) => between(async () => {
  const asked = bound({ connection }, statement)
  const names = asked.columns().map(({ name }) => name)
  const rows = asked.raw().all() as unknown[][]
  return rows.map((row) => Object.fromEntries(row.map((value, index) => [names[index], value])) as Row)
})

/** As Prisma's adapter writes it. */
function toSqlite (value: unknown): unknown {
  if (value instanceof Date) return value.toISOString().replace('Z', '+00:00')
  return typeof value === 'boolean' ? Number(value) : value
}
