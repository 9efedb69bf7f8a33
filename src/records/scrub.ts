// Leaving nothing of deleted rows in the files of the database: at once in those of SQLite; in those of PostgreSQL as far as it lets anybody.
import { setTimeout } from 'node:timers/promises'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { isPostgres } from './kind.ts'
import { vacuum } from './postgres/vacuum.ts'

const attempts = 60
const pauseMs = 50

/** So large a database is written anew in half a second, for which uploads wait. */
const rewrittenBytes = 32 * 1024 ** 2

type Client = Pick<PrismaClient, '$queryRaw' | '$executeRaw'>

export type ScrubOptions = {
  /** Also what secure_delete leaves: copies in the unused space of pages, from when a page was divided. For databases up to 32 MiB. */
  readonly isThorough?: boolean
  readonly tries?: number
}

/**
 * Brings the write-ahead log into the database and cuts it to nothing, so that no old page stays in it. False when others read from
 * it all the time: what was deleted is gone from the log when they are done and this is called again. Of PostgreSQL see `vacuum`.
 */
export async function scrub (client: Client, { isThorough = false, tries = attempts }: ScrubOptions = {}): Promise<boolean> {
  if (isPostgres(client)) return vacuum(client, { isThorough })
  // On a full disk there is no room for it: what is left then is for the next time.
  if (isThorough && await sizeOf(client) <= rewrittenBytes) await client.$executeRaw`VACUUM`.catch(() => {})
  for (let attempt = 1; ; attempt += 1) {
    const [result] = await querying(() => client.$queryRaw<Array<{ busy: bigint }>>`PRAGMA wal_checkpoint(TRUNCATE)`)
    if (Number(result?.busy) === 0) return true
    if (attempt >= tries) return false
    await setTimeout(pauseMs)
  }
}

async function sizeOf (client: Client): Promise<number> {
  const [row] = await querying(() => client.$queryRaw<Array<{ bytes: bigint }>>`SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()`)
  return Number(row?.bytes)
}
