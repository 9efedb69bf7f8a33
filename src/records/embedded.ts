// Opens a SQLite database: refuses file systems that lose commits, migrates, and hands out one Prisma client.
import { accessSync, closeSync, constants, existsSync, openSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { ConfigError } from '../config.ts'
import { PrismaClient } from '../generated/prisma/client.ts'
import { fileSystem } from '../storage/fs.ts'
import { makeFolder } from '../storage/make-folder.ts'
import type { Database } from './database.ts'
import { writeFailure } from './failures.ts'
import { createAsking } from './direct.ts'
import { createGroupCommit } from './group-commit.ts'
import { migrate, newerSentence, requireMigrated, shippedMigrations, type Migrated } from './migrations.ts'
import { watchRows, type RowChanges } from './row-changes.ts'
import { DurableSqlite, harden } from './sqlite.ts'
import { sqliteDatabase, viewDatabase } from './viewing.ts'

type Options = {
  file: string
  /** What named it, for people. */
  setting?: string | undefined
  requireMount: boolean
  /** Neither made nor migrated, and no connection can write. */
  isReadOnly?: boolean | undefined
  /** How long a database that another process holds is asked again, in milliseconds. */
  busyForMs?: number | undefined
  /** Hears what is odd, but no reason to refuse. */
  warn?: ((message: string) => void) | undefined
}

/** statfs(2) types on which SQLite's locks do not hold between hosts: two on SMB acknowledged 300 rows and kept 150. */
const networkTypes = new Map([[0x6969, 'NFS'], [0xfe534d42, 'SMB'], [0xff534d42, 'CIFS'], [0x01021997, '9p'], [0x65735546, 'FUSE']])
const overlayType = 0x794c7630

/** Transactions wait for each other; with Prisma's 2 s a slow disk would refuse uploads that only had to queue. */
const waitMs = 30_000

const fileMode = 0o640

/**
 * Opens and migrates the SQLite database in `file`, creating it and its folder when absent.
 * @throws ConfigError when the file system cannot keep a SQLite database, or the file is none.
 */
export async function openSqlite ({ file, setting, requireMount, isReadOnly = false, busyForMs, warn = () => {} }: Options): Promise<Database> {
  const newer = newerSentence((await prepare(file, { setting, requireMount, isReadOnly })).newer)
  if (newer !== undefined) warn(newer)
  if (isReadOnly) return viewDatabase({ kind: 'sqlite', file })
  let changes: RowChanges | undefined
  let direct: Pick<Database, 'commit' | 'ask'> | undefined
  const adapter = new DurableSqlite({ url: `file:${file}` }, {
    busyForMs,
    onConnected (connected) {
      changes = watchRows(connected.connection)
      direct = { commit: createGroupCommit(connected), ask: createAsking(connected) }
    },
  })
  const client = new PrismaClient({ adapter, transactionOptions: { maxWait: waitMs, timeout: waitMs } })
  await client.$connect()
  return sqliteDatabase(client, changes, direct)
}

/** Exported for its test: no machine has all of these mounted. `type` is what statfs(2) says. */
export function refuseUnsafe (file: string, type: number, requireMount: boolean, setting = 'DATABASE_URL'): void {
  const network = networkTypes.get(type >>> 0)
  if (network !== undefined) {
    throw new ConfigError(`The database ${file} is on a ${network} file system, where SQLite loses committed rows. Set ${setting} to a file on a local disk, or to a PostgreSQL database.`)
  }
  if (requireMount && type >>> 0 === overlayType) {
    throw new ConfigError(`The database ${file} is in the container's own layers and would be gone with the container. Mount a volume at UPLOADS_DIR, or set ${setting} to a file on one.`)
  }
}

async function prepare (file: string, { setting, requireMount, isReadOnly }: { setting: string | undefined, requireMount: boolean, isReadOnly: boolean }): Promise<Migrated> {
  try {
    if (!isReadOnly) await makeFolder(fileSystem, dirname(file))
    refuseUnsafe(file, statfsSync(dirname(file)).type, requireMount, setting)
    if (isReadOnly) return asItIs(new BetterSqlite3(file, { readonly: true, fileMustExist: true }))
    // SQLite would let everybody read it; its other files get the mode of this one.
    if (!existsSync(file)) closeSync(openSync(file, 'a', fileMode))
    return bringUpToDate(new BetterSqlite3(file))
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw (isReadOnly ? viewRefusal(file, error) : undefined) ?? new ConfigError(`The database ${file} cannot be used: ${reason}`, { cause: error })
  }
}

/** Exported for its test, which mounts nothing. Undefined when `error` has another reason than that nothing can be written beside the file. */
export function viewRefusal (file: string, error: unknown): ConfigError | undefined {
  if (!writeFailure(error) || isWritable(dirname(file))) return undefined
  return new ConfigError(`The database ${file} cannot be read where it is: nothing can be written there, and SQLite needs a file beside it to read with. Copy it to a disk that takes writes, with its -wal file if it has one and while nothing writes to it, and set DATABASE_URL to the copy; or move the records to PostgreSQL.`, { cause: error })
}

function isWritable (folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function bringUpToDate (connection: BetterSqlite3.Database): Migrated {
  try {
    harden(connection)
    return migrate(connection, shippedMigrations())
  } finally {
    connection.close()
  }
}

function asItIs (connection: BetterSqlite3.Database): Migrated {
  try {
    return requireMigrated(connection, shippedMigrations())
  } finally {
    connection.close()
  }
}
