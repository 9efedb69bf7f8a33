// The line between naming users as readers and their erasure: either the erasure finds the name, or whoever names them finds the erasure.
// SQLite needs none, as its transactions come one after the other. Who is erased is not known here.
import { Prisma } from '../generated/prisma/client.ts'
import type { PrismaClient } from './database.ts'
import { isPostgres } from './kind.ts'

/** The letters of "readers" as a number: among the advisory locks of the database nobody else has it. */
const lockNumber = 0x72656164657273n

const locking = (client: PrismaClient, lock: Prisma.Sql): Prisma.Sql[] =>
  isPostgres(client) ? [Prisma.sql`SELECT ${lock}(CAST(${lockNumber} AS BIGINT))`] : []

/** First in a transaction that names readers, before any row is locked: many do so at once, and none while somebody is being erased. */
export const besideOthers = (client: PrismaClient): Prisma.Sql[] => locking(client, Prisma.raw('pg_advisory_xact_lock_shared'))

/** First in the transaction that makes an erasure known: whoever named somebody before has committed by then, and is found. */
export const aheadOfOthers = (client: PrismaClient): Prisma.Sql[] => locking(client, Prisma.raw('pg_advisory_xact_lock'))
