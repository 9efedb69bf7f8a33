// The embedded database that a rebuild replaces: what only it knows, and how it makes way without ever being half of another.
import { existsSync } from 'node:fs'
import BetterSqlite3 from 'better-sqlite3'
import type { Prisma } from '../generated/prisma/client.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

const accountsPerPage = 500

export type OldDatabase =
  | { readonly is: 'absent' }
  /** `volumeId` undefined: it never belonged to a volume. `isOurs` false: it holds tables, but none of the gateway's. */
  | { readonly is: 'readable', readonly volumeId: string | undefined, readonly isOurs: boolean }
  | { readonly is: 'damaged', readonly reason: string }

const opened = (file: string) => new BetterSqlite3(file, { readonly: true, fileMustExist: true })

/** What can be told of it without changing it. */
export function lookAtOld (file: string): OldDatabase {
  if (!existsSync(file)) return { is: 'absent' }
  try {
    return using(opened(file), (connection) => {
      const tables = connection.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()
      const isOurs = tables.length === 0 || ['Setting', 'Blob', '_prisma_migrations'].every((name) => tables.includes(name))
      const volumeId = tables.includes('Setting') && isOurs ? connection.prepare<[], string>("SELECT value FROM Setting WHERE key = 'volumeId'").pluck().get() : undefined
      return { is: 'readable', volumeId, isOurs }
    })
  } catch (error) {
    return { is: 'damaged', reason: reasonOf(error) }
  }
}

type AccountRow = Record<keyof Prisma.AccountCreateManyInput, string | number>

/** Embedded accounts, which no sidecar has. `failure`: why those after the first `count` could not be read. */
export async function carryAccounts (file: string, client: PrismaClient): Promise<{ count: number, failure: string | undefined }> {
  let count = 0
  try {
    for (let after = '', page = accountsAfter(file, after); page.length > 0; page = accountsAfter(file, after)) {
      await querying(() => client.account.createMany({ data: page }))
      count += page.length
      after = page.at(-1)?.id ?? ''
    }
  } catch (error) {
    // The new database failing is another matter than the old one.
    if (!(error instanceof BetterSqlite3.SqliteError)) throw error
    return { count, failure: reasonOf(error) }
  }
  return { count, failure: undefined }
}

function accountsAfter (file: string, id: string): Prisma.AccountCreateManyInput[] {
  return using(opened(file), (connection) => {
    if (connection.prepare("SELECT 1 FROM sqlite_master WHERE name = 'Account'").get() === undefined) return []
    const rows = connection.prepare<[string, number], AccountRow>('SELECT id, email, displayName, passwordHash, tokenGeneration, createdAt, updatedAt FROM Account WHERE id > ? ORDER BY id LIMIT ?').all(id, accountsPerPage)
    return rows.map((row) => ({ id: String(row.id), email: String(row.email), displayName: String(row.displayName), passwordHash: String(row.passwordHash), tokenGeneration: Number(row.tokenGeneration), createdAt: new Date(row.createdAt), updatedAt: new Date(row.updatedAt) }))
  })
}

/**
 * Moves what is in its log into the file itself, so that no log is left that SQLite could apply to another file of that
 * name. @throws when it is too damaged for that
 */
export function emptyLog (file: string): void {
  using(new BetterSqlite3(file, { fileMustExist: true }), (connection) => {
    const mode = connection.pragma('journal_mode = DELETE', { simple: true })
    if (mode !== 'delete') throw new Error(`SQLite kept the log of ${file}: it says ${String(mode)}.`)
  })
}

function using<T> (connection: BetterSqlite3.Database, work: (connection: BetterSqlite3.Database) => T): T {
  try {
    return work(connection)
  } finally {
    connection.close()
  }
}

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
