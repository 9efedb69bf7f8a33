// The database, whichever it is: what everybody else sees of it, and which of the two the settings name. Opens neither itself.
import type { DatabaseAddress } from '../config.ts'
import type { PrismaClient } from '../generated/prisma/client.ts'
import { openSqlite } from './embedded.ts'
import type { RowChanges } from './row-changes.ts'
import type { Ask, Commit } from './statements.ts'

export type { PrismaClient }

export type Database = {
  readonly kind: DatabaseAddress['kind']
  readonly client: PrismaClient
  readonly commit: Commit
  readonly ask: Ask
  /** Undefined where the database does not tell at once what changes in it. */
  readonly changes?: RowChanges | undefined
  /**
   * Does `work` while no other process on this PostgreSQL is at the same `name`: for files that several machines write to. On SQLite it is
   * done at once, as all are on one machine.
   * @throws DatabaseUnavailable when that takes longer than 10 seconds, and then nothing is done; or when the connection was lost
   * meanwhile, and then it may be
   */
  exclusively<T> (name: string, work: () => Promise<T>): Promise<T>
  /** Rejects when the database cannot answer. */
  check (): Promise<void>
  close (): Promise<void>
}

type Options = {
  address: DatabaseAddress
  /** Of a SQLite file: not in a container's own layers. */
  requireMount: boolean
  /** To PostgreSQL, at most. */
  connections: number
  /** Neither made nor migrated, and no connection can write. */
  isReadOnly?: boolean
  /** How long a SQLite file that another process holds is asked again, in milliseconds. */
  busyForMs?: number
  /** Hears what is odd, but no reason to refuse. */
  warn?: (message: string) => void
}

/** How gateways and commands append to the journals of the volume that belongs to the database: one at a time. */
export const appendingAlone = ({ exclusively }: Pick<Database, 'exclusively'>) => <T>(append: () => Promise<T>): Promise<T> => exclusively('journals', append)

/**
 * Opens and migrates the database at `address`.
 * @throws ConfigError when it cannot be used, with what to do
 */
export async function openDatabase ({ address, requireMount, connections, isReadOnly, busyForMs, warn }: Options): Promise<Database> {
  if (address.kind === 'sqlite') return openSqlite({ file: address.file, setting: address.setting, requireMount, isReadOnly, busyForMs, warn })
  // Only who wants it loads it: driver and client take memory.
  const { openPostgres } = await import('./postgres/open.ts')
  return openPostgres({ url: address.url, setting: address.setting, connections, isReadOnly, warn })
}
