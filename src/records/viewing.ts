// The embedded database opened to be looked at: nothing is made, migrated or changed, whatever state it is in.
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3'
import { PrismaClient } from '../generated/prisma/client.ts'
import type { Database } from './database.ts'

/** @throws the error of SQLite when there is no such file, or it is no database */
export async function viewDatabase (file: string): Promise<Database> {
  const client = new PrismaClient({ adapter: new PrismaBetterSqlite3({ url: `file:${file}`, readonly: true, fileMustExist: true }) })
  await client.$connect()
  return {
    client,
    async check () { await client.setting.findFirst({ select: { key: true } }) },
    close: () => client.$disconnect(),
  }
}
