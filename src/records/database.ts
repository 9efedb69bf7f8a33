// Opens the embedded database: refuses file systems that lose commits, migrates, and hands out one Prisma client.
import { mkdirSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { PrismaClient } from '../generated/prisma/client.ts'
import { ConfigError } from '../config.ts'
import { migrate, shippedMigrations } from './migrations.ts'
import { DurableSqlite, harden } from './sqlite.ts'

export type { PrismaClient }

export type Database = {
  readonly client: PrismaClient
  /** Rejects when the database cannot answer. */
  check (): Promise<void>
  close (): Promise<void>
}

/** statfs(2) types on which SQLite's locks do not hold between hosts: two on SMB acknowledged 300 rows and kept 150. */
const networkTypes = new Map([[0x6969, 'NFS'], [0xfe534d42, 'SMB'], [0xff534d42, 'CIFS'], [0x01021997, '9p'], [0x65735546, 'FUSE']])
const overlayType = 0x794c7630

const folderMode = 0o750

/** Transactions wait for each other; with Prisma's 2 s a slow disk would refuse uploads that only had to queue. */
const waitMs = 30_000

/**
 * Opens and migrates the SQLite database in `file`, creating it and its folder when absent.
 * @throws ConfigError when the file system cannot keep a SQLite database, or the file is none.
 */
export async function openDatabase ({ file, requireMount, busyForMs }: { file: string, requireMount: boolean, busyForMs?: number }): Promise<Database> {
  prepare(file, requireMount)
  const client = new PrismaClient({ adapter: new DurableSqlite({ url: `file:${file}` }, busyForMs), transactionOptions: { maxWait: waitMs, timeout: waitMs } })
  await client.$connect()
  return {
    client,
    async check () { await client.setting.findFirst({ select: { key: true } }) },
    close: () => client.$disconnect(),
  }
}

/** Exported for its test: no machine has all of these mounted. `type` is what statfs(2) says. */
export function refuseUnsafe (file: string, type: number, requireMount: boolean): void {
  const network = networkTypes.get(type >>> 0)
  if (network !== undefined) {
    throw new ConfigError(`The database ${file} is on a ${network} file system, where SQLite loses committed rows. Set DATABASE_URL to a file on a local disk.`)
  }
  if (requireMount && type >>> 0 === overlayType) {
    throw new ConfigError(`The database ${file} is in the container's own layers and would be gone with the container. Mount a volume at UPLOADS_DIR, or set DATABASE_URL to a file on one.`)
  }
}

function prepare (file: string, requireMount: boolean): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: folderMode })
    refuseUnsafe(file, statfsSync(dirname(file)).type, requireMount)
    bringUpToDate(new BetterSqlite3(file))
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigError(`The database ${file} cannot be used: ${reason}`, { cause: error })
  }
}

function bringUpToDate (connection: BetterSqlite3.Database): void {
  try {
    harden(connection)
    migrate(connection, shippedMigrations())
  } finally {
    connection.close()
  }
}
