// Which of the two databases a side of a transfer is: as its address says.
import type { DatabaseAddress } from '../../config.ts'
import type { Source, Target } from './side.ts'
import { openSqliteSource, openSqliteTarget } from './sqlite.ts'

/** @throws NotTransferable, ConfigError, the error of SQLite */
export async function openSource (address: DatabaseAddress): Promise<Source> {
  if (address.kind === 'sqlite') return openSqliteSource(address.file)
  const { openPostgresSource } = await import('../postgres/transfer.ts')
  return openPostgresSource(address)
}

/** Of a database that is migrated. @throws as the source; also while somebody else is at it */
export async function openTarget (address: DatabaseAddress): Promise<Target> {
  if (address.kind === 'sqlite') return openSqliteTarget(address.file)
  const { openPostgresTarget } = await import('../postgres/transfer.ts')
  return openPostgresTarget(address)
}
