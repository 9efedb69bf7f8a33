// Sidecars that are decided upon only when all others are in, by the source they were imported from: kept in a file of their own
// meanwhile, as there may be millions. It lasts for one rebuild, and need not survive a crash.
import BetterSqlite3 from 'better-sqlite3'
import type { Sidecar } from '../storage/sidecar.ts'
import { querying } from './failures.ts'

const usualPage = 500

export type Deferred = {
  add (sidecars: readonly Sidecar[]): Promise<void>
  count (): number
  /** Some hundreds at a time, by source and then by id; those of one source are never in two pages. Nothing can be added any more. */
  pages (): Generator<Sidecar[]>
  close (): void
}

/** `file`: is made, and is for the caller to remove. */
export function openDeferred (file: string): Deferred {
  const connection = new BetterSqlite3(file)
  connection.pragma('journal_mode = OFF')
  connection.pragma('synchronous = OFF')
  connection.exec('CREATE TABLE "Deferred" ("source" TEXT NOT NULL, "id" TEXT NOT NULL, "sidecar" TEXT NOT NULL)')
  const insert = connection.prepare<[string, string, string]>('INSERT INTO "Deferred" VALUES (?, ?, ?)')
  const insertAll = connection.transaction((sidecars: readonly Sidecar[]) => {
    for (const sidecar of sidecars) insert.run(sidecar.source ?? '', sidecar.id, JSON.stringify(sidecar))
  })

  return {
    add: (sidecars) => querying(async () => insertAll(sidecars)),
    count: () => connection.prepare<[], number>('SELECT COUNT(*) FROM "Deferred"').pluck().get() ?? 0,
    * pages () {
      connection.exec('CREATE INDEX "Deferred_source" ON "Deferred" ("source", "id")')
      let page: Sidecar[] = []
      for (const text of connection.prepare<[], string>('SELECT "sidecar" FROM "Deferred" ORDER BY "source", "id"').pluck().iterate()) {
        const sidecar = JSON.parse(text) as Sidecar
        if (page.length >= usualPage && page.at(-1)?.source !== sidecar.source) {
          yield page
          page = []
        }
        page.push(sidecar)
      }
      if (page.length > 0) yield page
    },
    close () { connection.close() },
  }
}
