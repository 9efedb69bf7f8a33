// All rows into a SQLite file, as backups have it, and out of one into the database of a gateway, which it replaces as a whole.
import type { DatabaseAddress } from '../../config.ts'
import { openDatabase } from '../database.ts'
import { openSqlite } from '../embedded.ts'
import { openSource, openTarget } from './open.ts'
import { copyRows, type CopiedTable } from './rows.ts'

/** Of one moment of the database at `from`, while others write, into the new file `file`, but for these tables. @throws NotTransferable, ConfigError */
export async function rowsIntoFile (from: DatabaseAddress, file: string, except: readonly string[] = []): Promise<CopiedTable[]> {
  await (await openSqlite({ file, requireMount: false })).close()
  return transfer(from, { kind: 'sqlite', file }, except)
}

/** All of it or nothing, into the database at `to`, which is made if need be; with nobody else at it. @throws NotTransferable, ConfigError */
export async function fileIntoDatabase (file: string, to: DatabaseAddress): Promise<CopiedTable[]> {
  // It may be of an earlier version.
  await (await openSqlite({ file, requireMount: false })).close()
  await (await openDatabase({ address: to, requireMount: false, connections: 1 })).close()
  return transfer({ kind: 'sqlite', file }, to)
}

async function transfer (from: DatabaseAddress, to: DatabaseAddress, except: readonly string[] = []): Promise<CopiedTable[]> {
  const source = await openSource(from)
  try {
    const target = await openTarget(to)
    try {
      const copied = await copyRows({ source, target, except })
      await target.commit()
      return copied
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}
