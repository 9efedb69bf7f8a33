// Statements in SQL, for transactions that several put together, or that many wait for: both databases take them as they are.
import { Prisma } from '../generated/prisma/client.ts'
import type { PrismaClient } from './database.ts'

/**
 * All of the statements or none. Those that come at the same time may share one transaction of the database, and so one fsync; each is refused by itself.
 * @throws what the database says of the first that it refuses
 */
export type Commit = (statements: readonly Prisma.Sql[]) => Promise<void>

type Value = string | number | bigint | boolean | Date | null

/** For a transaction of Prisma's. */
export const inPrisma = (client: PrismaClient, statements: readonly Prisma.Sql[]): Prisma.PrismaPromise<number>[] => statements.map((statement) => client.$executeRaw(statement))

/** The rows that a statement gives. */
export type Ask = <Row extends object>(statement: Prisma.Sql) => Promise<Row[]>

export const throughPrisma = (client: PrismaClient): { commit: Commit, ask: Ask } => ({
  commit: async (statements) => { await client.$transaction(inPrisma(client, statements)) },
  ask: (statement) => client.$queryRaw(statement),
})

/** A new row. */
export function inserting (table: Prisma.ModelName, row: Readonly<Record<string, Value>>): Prisma.Sql {
  const columns = Object.keys(row)
  const names = columns.map((column) => `"${column}"`).join()
  return Prisma.sql([`INSERT INTO "${table}" (${names}) VALUES (`, ...columns.slice(1).map(() => ','), ')'], ...Object.values(row))
}
