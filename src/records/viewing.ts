// A database opened to be looked at: nothing is made, migrated or changed, whatever state it is in.
import type { DatabaseAddress } from '../config.ts'
import { PrismaClient } from '../generated/prisma/client.ts'
import type { Database } from './database.ts'
import { watchOthers, type RowChanges } from './row-changes.ts'
import { ViewedSqlite } from './sqlite.ts'
import { throughPrisma } from './statements.ts'

/** Enough for what is asked at once. */
const connections = 2

/** @throws the error of SQLite when there is no such file, or it is no database; ConfigError when PostgreSQL cannot be used */
export async function viewDatabase (address: DatabaseAddress): Promise<Database> {
  if (address.kind === 'sqlite') return viewFile(address.file)
  const { openPostgres } = await import('./postgres/open.ts')
  return openPostgres({ url: address.url, connections, isReadOnly: true })
}

/** Not as a gateway opens it, whose settings not every state of it takes. */
async function viewFile (file: string): Promise<Database> {
  let changes: RowChanges | undefined
  const adapter = new ViewedSqlite({ url: `file:${file}`, readonly: true, fileMustExist: true }, (connection) => { changes = watchOthers(connection) })
  const client = new PrismaClient({ adapter })
  await client.$connect()
  return sqliteDatabase(client, changes)
}

/** What is asked of a SQLite database whose client is connected. */
export const sqliteDatabase = (client: PrismaClient, changes: RowChanges | undefined, { commit, ask } = throughPrisma(client)): Database => ({
  kind: 'sqlite',
  client,
  commit,
  ask,
  changes,
  exclusively: (_name, work) => work(),
  async check () { await client.setting.findFirst({ select: { key: true } }) },
  close: () => client.$disconnect(),
})
