// Group commit: transactions that come at the same time become one of SQLite's, with one fsync, and each is still refused by itself.
// As databases do with those of several connections: DeWitt et al., "Implementation techniques for main memory database systems", 1984.
import type { Prisma } from '../generated/prisma/client.ts'
import { bound } from './direct.ts'
import type { Connected } from './sqlite.ts'
import type { Commit } from './statements.ts'

/** More would stop everything else for longer than 10 ms. */
const mostAtOnce = 64

/** So long who comes waits for others, where last time there were so many: as commit_delay and commit_siblings of PostgreSQL. */
const delayMs = 3
const siblings = 3

type Waiting = { readonly statements: readonly Prisma.Sql[], readonly resolve: () => void, readonly reject: (error: unknown) => void }

export function createGroupCommit (connected: Connected): Commit {
  const { connection, alone } = connected
  const waiting: Waiting[] = []
  let isUnderWay = false
  let areMany = false

  const run = (sql: string) => bound(connected, { sql, values: [] }).run()

  /** Whether all of its statements held. @throws when SQLite has rolled back everything, as on a full disk */
  function attempt ({ statements, reject }: Waiting): boolean {
    run('SAVEPOINT one')
    try {
      for (const statement of statements) bound(connected, statement).run()
      return true
    } catch (error) {
      if (!connection.inTransaction) throw error
      run('ROLLBACK TO one')
      reject(error)
      return false
    } finally {
      if (connection.inTransaction) run('RELEASE one')
    }
  }

  function commit (group: readonly Waiting[], leave: () => void): void {
    const held: Waiting[] = []
    try {
      for (const one of group) if (attempt(one)) held.push(one)
      run('COMMIT')
    } catch (error) {
      // Those that were refused before have heard why.
      for (const { reject } of group) reject(error)
      return
    } finally {
      leave()
    }
    for (const { resolve } of held) resolve()
  }

  async function commitAll (): Promise<void> {
    while (waiting.length > 0) {
      let leave: () => void
      try {
        leave = await alone()
      } catch (error) {
        for (const { reject } of waiting.splice(0)) reject(error)
        break
      }
      const group = waiting.splice(0, mostAtOnce)
      areMany = group.length >= siblings
      commit(group, leave)
    }
    isUnderWay = false
  }

  return (statements) => new Promise((resolve, reject) => {
    waiting.push({ statements, resolve, reject })
    if (isUnderWay) return
    isUnderWay = true
    // What else is done in this turn of the event loop can come along.
    if (areMany) setTimeout(commitAll, delayMs)
    else setImmediate(commitAll)
  })
}
